//! Loads from a tree in memory.

use super::*;
