//! What a container uses, as the engine tells it every second.

use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt as _;

use super::Docker;
use super::time::unix_seconds;
use crate::engine::{BoxStream, Result, Usage};
use crate::model::ContainerId;

impl Docker {
    /// The stream ends when the container does: the engine goes on for ever, and then tells of no moment.
    pub(super) fn usage(&self, id: &ContainerId) -> BoxStream<Result<Usage>> {
        let docker = self.clone();
        let options = StatsOptions { stream: true, ..StatsOptions::default() };
        let told = self.api.stats(id.as_str(), Some(options));
        let told = told.take_while(|told| std::future::ready(told.as_ref().map_or(true, is_of_a_moment)));
        let told = told.map(move |told| told.map(|told| of(&told)).map_err(|error| docker.error(error)));
        Box::pin(told)
    }
}

/// What does not run was read in the year 1.
fn is_of_a_moment(told: &ContainerStatsResponse) -> bool {
    told.read.as_deref().is_some_and(|read| unix_seconds(read) > 0)
}

fn of(told: &ContainerStatsResponse) -> Usage {
    let cpu = told.cpu_stats.clone().unwrap_or_default();
    let time = cpu.cpu_usage.unwrap_or_default();
    let each = time.percpu_usage.map_or(0, |each| each.len() as u64);
    let networks = told.networks.iter().flatten();
    let (received, sent) = networks.fold((0, 0), |(received, sent), (_, network)| {
        (received + network.rx_bytes.unwrap_or_default(), sent + network.tx_bytes.unwrap_or_default())
    });
    let (read, written) = told.blkio_stats.as_ref().map(disks).unwrap_or_default();
    let memory = told.memory_stats.as_ref();
    Usage {
        cpu: time.total_usage.unwrap_or_default(),
        system: cpu.system_cpu_usage.unwrap_or_default(),
        cpus: cpu.online_cpus.map_or(each, u64::from),
        memory: memory.map(held).unwrap_or_default(),
        limit: memory.and_then(|memory| memory.limit).unwrap_or_default(),
        received,
        sent,
        read,
        written,
        processes: told.pids_stats.as_ref().and_then(|pids| pids.current).unwrap_or_default(),
    }
}

/// Without pages of files that nobody has used for a while: the first name is of the first version of control groups.
fn held(memory: &ContainerMemoryStats) -> u64 {
    let usage = memory.usage.unwrap_or_default();
    let inactive = |name: &str| memory.stats.as_ref()?.get(name).copied().filter(|bytes| *bytes < usage);
    usage - inactive("total_inactive_file").or_else(|| inactive("inactive_file")).unwrap_or_default()
}

fn disks(stats: &ContainerBlkioStats) -> (u64, u64) {
    let mut sums = (0, 0);
    for entry in stats.io_service_bytes_recursive.iter().flatten() {
        let bytes = entry.value.unwrap_or_default();
        match entry.op.as_deref().unwrap_or_default().as_bytes() {
            [b'r' | b'R', ..] => sums.0 += bytes,
            [b'w' | b'W', ..] => sums.1 += bytes,
            _ => {}
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let json = r#"{"cpu_stats":{"cpu_usage":{"total_usage":7,"percpu_usage":[3,4]},"system_cpu_usage":90},
            "memory_stats":{"usage":1000,"limit":4000,"stats":{"inactive_file":300,"total_inactive_file":400}},
            "networks":{"eth0":{"rx_bytes":5,"tx_bytes":6},"eth1":{"rx_bytes":1}},"pids_stats":{"current":2},
            "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":8},{"op":"write","value":9},{"op":"Total","value":17}]}}"#;
        let usage = of(&serde_json::from_str(json).unwrap());
        let want = Usage {
            cpu: 7,
            system: 90,
            cpus: 2,
            memory: 600,
            limit: 4000,
            received: 6,
            sent: 6,
            read: 8,
            written: 9,
            processes: 2,
        };
        assert_eq!(usage, want);
        let is_read = |at: &str| is_of_a_moment(&serde_json::from_value(serde_json::json!({ "read": at })).unwrap());
        assert!(is_read("2026-11-28T09:49:31.043801427Z"));
        assert!(!is_read("0001-01-01T00:00:00Z"), "it has ended");
    }
}
