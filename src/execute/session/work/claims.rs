//! Whose saves a session takes care of: of one service, one session does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::execute::Turns;
use crate::execute::session::ended::Claimed;
use crate::host::lock::Lock;
use crate::model::ServiceName;

/// The services whose saves this session takes care of, each with its lock where there are other processes.
#[derive(Default)]
pub struct Claims(Mutex<BTreeMap<ServiceName, Option<Lock>>>);

impl Claims {
    /// Takes those of these services that no other session takes care of, and lets go of all others.
    pub fn claim(&self, turns: &Turns, services: &[ServiceName]) -> Claimed {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(|service, _| services.contains(service));
        let mut claimed = Claimed::default();
        for service in services {
            if !claims.contains_key(service) {
                match turns.watch(service) {
                    Ok(lock) => drop(claims.insert(service.clone(), lock)),
                    Err(held) => {
                        claimed.taken.push((service.clone(), held));
                        continue;
                    }
                }
            }
            claimed.mine.push(service.clone());
        }
        claimed
    }
}
