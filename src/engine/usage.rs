//! What containers use of the machine.

/// What a container has used since it was started, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in nanoseconds.
    pub cpu: u64,
    /// The time of all processors of the machine by then, in nanoseconds.
    pub system: u64,
    /// Processors.
    pub cpus: u64,
    /// Bytes of memory, without what the kernel may take back.
    pub memory: u64,
    /// Bytes of memory that it may have.
    pub limit: u64,
    /// Bytes that came over networks.
    pub received: u64,
    /// Bytes that went over networks.
    pub sent: u64,
    /// Bytes that were read from disks.
    pub read: u64,
    /// Bytes that were written to disks.
    pub written: u64,
    /// Processes and threads.
    pub processes: u64,
}

impl Usage {
    /// Processor time since another look, in percent of one processor.
    pub fn cpu_since(&self, before: &Self) -> f64 {
        let (cpu, system) = (self.cpu.saturating_sub(before.cpu), self.system.saturating_sub(before.system));
        if system == 0 {
            return 0.0;
        }
        #[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
        let (cpu, system, cpus) = (cpu as f64, system as f64, self.cpus as f64);
        cpu / system * cpus * 100.0
    }

    /// Memory in percent of what it may have.
    pub fn memory_of_limit(&self) -> f64 {
        if self.limit == 0 {
            return 0.0;
        }
        #[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
        let (memory, limit) = (self.memory as f64, self.limit as f64);
        memory / limit * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_there_is() {
        let before = Usage { cpu: 1_000, system: 10_000, cpus: 2, ..Usage::default() };
        let now = Usage { cpu: 2_000, system: 18_000, cpus: 2, memory: 25, limit: 200, ..Usage::default() };
        assert!((now.cpu_since(&before) - 25.0).abs() < 1e-9);
        assert!((now.memory_of_limit() - 12.5).abs() < 1e-9);
        // A container that was started anew has used less than before.
        assert!(before.cpu_since(&now).abs() < 1e-9);
        assert!(Usage::default().memory_of_limit().abs() < 1e-9);
    }
}
