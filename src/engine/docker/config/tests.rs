use indexmap::IndexMap;
use serde_json::{Value, json};

use super::*;
use crate::engine::ErrorKind;
use crate::model::{Attachment, Mount};

/// A spec whose service, mounts and networks are given as the manifest's canonical JSON.
fn spec(service: Value) -> ContainerSpec {
    let service: crate::model::Service = serde_json::from_value(service).unwrap();
    ContainerSpec {
        name: "p-web-1".into(),
        image: "web".into(),
        mounts: service.volumes.clone(),
        service,
        publish: true,
        ..Default::default()
    }
}

fn body(spec: &ContainerSpec, api: (u32, u32)) -> Value {
    serde_json::to_value(container_config(spec, api).unwrap().body).unwrap()
}

#[test]
fn every_key_of_a_service_has_its_place() {
    // Key by key: the service, a pointer into the request's body, and what is there.
    let table = [
        (json!({"hostname": "h", "domainname": "d"}), "/Hostname", json!("h")),
        (json!({"domainname": "d"}), "/Domainname", json!("d")),
        (json!({"user": "1:2"}), "/User", json!("1:2")),
        (json!({"tty": true}), "/Tty", json!(true)),
        (json!({"stdin_open": true}), "/OpenStdin", json!(true)),
        (json!({"environment": {"A": "b=c", "GONE": null}}), "/Env", json!(["A=b=c", "GONE"])),
        (json!({"command": ["a", "b"]}), "/Cmd", json!(["a", "b"])),
        (json!({"command": []}), "/Cmd", json!([])),
        (json!({"entrypoint": ["e"]}), "/Entrypoint", json!(["e"])),
        (json!({"entrypoint": []}), "/Entrypoint", json!([])),
        (json!({"working_dir": "/w"}), "/WorkingDir", json!("/w")),
        (json!({"stop_signal": "SIGINT"}), "/StopSignal", json!("SIGINT")),
        (json!({"stop_grace_period": "1.5s"}), "/StopTimeout", json!(2)),
        (
            json!({"healthcheck": {"test": ["CMD", "x"], "interval": "5s"}}),
            "/Healthcheck/Interval",
            json!(5_000_000_000_i64),
        ),
        (json!({"healthcheck": {"test": ["CMD", "x"], "retries": 4}}), "/Healthcheck/Retries", json!(4)),
        (json!({"healthcheck": {"disable": true}}), "/Healthcheck/Test", json!(["NONE"])),
        (json!({"annotations": {"a": "b"}}), "/HostConfig/Annotations", json!({"a": "b"})),
        (json!({"blkio_config": {"weight": 300}}), "/HostConfig/BlkioWeight", json!(300)),
        (
            json!({"blkio_config": {"device_read_bps": [{"path": "/dev/sda", "rate": "12mb"}]}}),
            "/HostConfig/BlkioDeviceReadBps",
            json!([{"Path": "/dev/sda", "Rate": 12 << 20}]),
        ),
        (
            json!({"blkio_config": {"weight_device": [{"path": "/dev/sda", "weight": 4}]}}),
            "/HostConfig/BlkioWeightDevice",
            json!([{"Path": "/dev/sda", "Weight": 4}]),
        ),
        (json!({"cap_add": ["ALL"]}), "/HostConfig/CapAdd", json!(["ALL"])),
        (json!({"cap_drop": ["NET_ADMIN"]}), "/HostConfig/CapDrop", json!(["CAP_NET_ADMIN"])),
        (json!({"cgroup": "host"}), "/HostConfig/CgroupnsMode", json!("host")),
        (json!({"cgroup_parent": "m"}), "/HostConfig/CgroupParent", json!("m")),
        (json!({"cpu_count": 2}), "/HostConfig/CpuCount", json!(2)),
        (json!({"cpu_percent": 50.0}), "/HostConfig/CpuPercent", json!(50)),
        (json!({"cpu_period": 7}), "/HostConfig/CpuPeriod", json!(7)),
        (json!({"cpu_quota": 7}), "/HostConfig/CpuQuota", json!(7)),
        (json!({"cpu_rt_period": 7}), "/HostConfig/CpuRealtimePeriod", json!(7)),
        (json!({"cpu_rt_runtime": 7}), "/HostConfig/CpuRealtimeRuntime", json!(7)),
        (json!({"cpu_shares": 73}), "/HostConfig/CpuShares", json!(73)),
        (json!({"cpus": 1.5}), "/HostConfig/NanoCpus", json!(1_500_000_000)),
        (json!({"cpuset": "0-2"}), "/HostConfig/CpusetCpus", json!("0-2")),
        (
            json!({"credential_spec": {"file": "a.json"}}),
            "/HostConfig/SecurityOpt",
            json!(["credentialspec=file://a.json"]),
        ),
        (
            json!({"deploy": {"resources": {"limits": {"cpus": 0.5, "memory": "64m", "pids": 9}}}, "cpus": 2.0}),
            "/HostConfig/NanoCpus",
            json!(500_000_000),
        ),
        (json!({"deploy": {"resources": {"limits": {"memory": "64m"}}}}), "/HostConfig/Memory", json!(64 << 20)),
        (json!({"deploy": {"resources": {"limits": {"pids": 9}}}}), "/HostConfig/PidsLimit", json!(9)),
        (
            json!({"deploy": {"resources": {"reservations": {"memory": "1m"}}}}),
            "/HostConfig/MemoryReservation",
            json!(1 << 20),
        ),
        (
            json!({"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "count": 1}]}}}}),
            "/HostConfig/DeviceRequests/0/Count",
            json!(1),
        ),
        (
            json!({"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}}),
            "/HostConfig/RestartPolicy",
            json!({"Name": "on-failure", "MaximumRetryCount": 3}),
        ),
        (json!({"device_cgroup_rules": ["c 1:3 mr"]}), "/HostConfig/DeviceCgroupRules", json!(["c 1:3 mr"])),
        (
            json!({"devices": [{"source": "/dev/a"}]}),
            "/HostConfig/Devices",
            json!([{"PathOnHost": "/dev/a", "PathInContainer": "/dev/a", "CgroupPermissions": "rwm"}]),
        ),
        (
            json!({"devices": [{"source": "v.com/gpu=all"}]}),
            "/HostConfig/DeviceRequests",
            json!([{"Driver": "cdi", "DeviceIDs": ["v.com/gpu=all"]}]),
        ),
        (json!({"dns": ["1.1.1.1"]}), "/HostConfig/Dns", json!(["1.1.1.1"])),
        (json!({"dns_opt": ["ndots:1"]}), "/HostConfig/DnsOptions", json!(["ndots:1"])),
        (json!({"dns_search": ["a.b"]}), "/HostConfig/DnsSearch", json!(["a.b"])),
        (json!({"extra_hosts": ["a=1.2.3.4", "b=::1"]}), "/HostConfig/ExtraHosts", json!(["a:1.2.3.4", "b:::1"])),
        (
            json!({"gpus": [{"count": -1}]}),
            "/HostConfig/DeviceRequests",
            json!([{"Count": -1, "Capabilities": [["gpu"]]}]),
        ),
        (json!({"group_add": ["mail"]}), "/HostConfig/GroupAdd", json!(["mail"])),
        (json!({"init": true}), "/HostConfig/Init", json!(true)),
        (json!({"ipc": "host"}), "/HostConfig/IpcMode", json!("host")),
        (json!({"isolation": "process"}), "/HostConfig/Isolation", json!("process")),
        (
            json!({"logging": {"driver": "json-file", "options": {"max-size": "1m"}}}),
            "/HostConfig/LogConfig",
            json!({"Type": "json-file", "Config": {"max-size": "1m"}}),
        ),
        (json!({"mem_limit": "1g"}), "/HostConfig/Memory", json!(1 << 30)),
        (json!({"mem_reservation": "1m"}), "/HostConfig/MemoryReservation", json!(1 << 20)),
        (json!({"mem_swappiness": 60}), "/HostConfig/MemorySwappiness", json!(60)),
        (json!({"memswap_limit": "-1"}), "/HostConfig/MemorySwap", json!(-1)),
        (json!({"network_mode": "host"}), "/HostConfig/NetworkMode", json!("host")),
        (json!({}), "/HostConfig/NetworkMode", json!("none")),
        (json!({"oom_kill_disable": true}), "/HostConfig/OomKillDisable", json!(true)),
        (json!({"oom_score_adj": -5}), "/HostConfig/OomScoreAdj", json!(-5)),
        (json!({"pid": "host"}), "/HostConfig/PidMode", json!("host")),
        (json!({"pids_limit": 5}), "/HostConfig/PidsLimit", json!(5)),
        (json!({"privileged": true}), "/HostConfig/Privileged", json!(true)),
        (json!({"read_only": true}), "/HostConfig/ReadonlyRootfs", json!(true)),
        (json!({"restart": "always"}), "/HostConfig/RestartPolicy/Name", json!("always")),
        (
            json!({"restart": "on-failure:3"}),
            "/HostConfig/RestartPolicy",
            json!({"Name": "on-failure", "MaximumRetryCount": 3}),
        ),
        (json!({"runtime": "runc"}), "/HostConfig/Runtime", json!("runc")),
        (
            json!({"security_opt": ["no-new-privileges:true"]}),
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges:true"]),
        ),
        (json!({"shm_size": "64m"}), "/HostConfig/ShmSize", json!(64 << 20)),
        (json!({"storage_opt": {"size": "1G"}}), "/HostConfig/StorageOpt", json!({"size": "1G"})),
        (
            json!({"sysctls": {"net.core.somaxconn": "1024"}}),
            "/HostConfig/Sysctls",
            json!({"net.core.somaxconn": "1024"}),
        ),
        (json!({"tmpfs": ["/run", "/tmp:size=1m"]}), "/HostConfig/Tmpfs", json!({"/run": "", "/tmp": "size=1m"})),
        (
            json!({"ulimits": {"nofile": {"soft": 1, "hard": 2}}}),
            "/HostConfig/Ulimits",
            json!([{"Name": "nofile", "Soft": 1, "Hard": 2}]),
        ),
        (json!({"use_api_socket": true}), "/HostConfig/Binds", json!(["/var/run/docker.sock:/var/run/docker.sock"])),
        (json!({"userns_mode": "host"}), "/HostConfig/UsernsMode", json!("host")),
        (json!({"uts": "host"}), "/HostConfig/UTSMode", json!("host")),
        (json!({"volumes_from": ["0f:ro"]}), "/HostConfig/VolumesFrom", json!(["0f:ro"])),
        (json!({"expose": ["80", "90-91/udp"]}), "/ExposedPorts", json!({"80/tcp": {}, "90/udp": {}, "91/udp": {}})),
        (
            json!({"ports": [{"target": 80, "published": "8080", "protocol": "tcp"}]}),
            "/HostConfig/PortBindings",
            json!({"80/tcp": [{"HostPort": "8080"}]}),
        ),
        (
            json!({"ports": [{"target": 80, "host_ip": "127.0.0.1", "protocol": "udp"}]}),
            "/HostConfig/PortBindings",
            json!({"80/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}),
        ),
        (
            json!({"ports": [{"target": 80}, {"target": 80, "published": "1-9"}]}),
            "/HostConfig/PortBindings/80~1tcp/1/HostPort",
            json!("1-9"),
        ),
        (
            json!({"volumes": [{"type": "bind", "source": "/a", "target": "/b", "read_only": true, "bind": {"selinux": "z", "propagation": "rslave"}}]}),
            "/HostConfig/Binds",
            json!(["/a:/b:ro,z,rslave"]),
        ),
        (
            json!({"volumes": [{"type": "bind", "source": "/a", "target": "/b", "bind": {"create_host_path": false}}]}),
            "/HostConfig/Mounts/0/Source",
            json!("/a"),
        ),
        (
            json!({"volumes": [{"type": "bind", "source": "/a:c", "target": "/b"}]}),
            "/HostConfig/Mounts/0/BindOptions/CreateMountpoint",
            json!(true),
        ),
        (
            json!({"volumes": [{"type": "bind", "source": "/a", "target": "/b", "bind": {"recursive": "readonly"}}]}),
            "/HostConfig/Mounts/0/BindOptions/ReadOnlyForceRecursive",
            json!(true),
        ),
        (
            json!({"volumes": [{"type": "volume", "source": "v", "target": "/b", "volume": {"nocopy": true}}]}),
            "/HostConfig/Mounts/0/VolumeOptions/NoCopy",
            json!(true),
        ),
        (
            json!({"volumes": [{"type": "volume", "source": "v", "target": "/b", "volume": {"subpath": "s"}}]}),
            "/HostConfig/Mounts/0/VolumeOptions/Subpath",
            json!("s"),
        ),
        (
            json!({"volumes": [{"type": "tmpfs", "target": "/b", "tmpfs": {"size": "1m", "mode": 0o700}}]}),
            "/HostConfig/Mounts/0/TmpfsOptions",
            json!({"SizeBytes": 1 << 20, "Mode": 0o700}),
        ),
        (
            json!({"volumes": [{"type": "image", "source": "i", "target": "/b", "image": {"subpath": "s"}}]}),
            "/HostConfig/Mounts/0/ImageOptions/Subpath",
            json!("s"),
        ),
    ];
    for (service, pointer, expected) in table {
        let body = body(&spec(service.clone()), (1, 51));
        assert_eq!(body.pointer(pointer), Some(&expected), "{service} at {pointer} in {body:#}");
    }
}

#[test]
fn what_an_older_engine_cannot_do_is_said() {
    let attachment = |json: Value| {
        let mut spec = spec(json!({}));
        spec.networks = IndexMap::from([("n".into(), serde_json::from_value::<Attachment>(json).unwrap())]);
        spec
    };
    let second = |json: Value| {
        let mut spec = attachment(json);
        spec.networks.insert_before(0, "first".into(), Attachment::default());
        spec
    };
    for (spec, needs) in [
        (spec(json!({"healthcheck": {"test": ["CMD", "x"], "start_interval": "1s"}})), (1, 44)),
        (spec(json!({"annotations": {"a": "b"}})), (1, 43)),
        (spec(json!({"volumes": [{"type": "volume", "target": "/b", "volume": {"subpath": "s"}}]})), (1, 45)),
        (spec(json!({"volumes": [{"type": "image", "source": "i", "target": "/b"}]})), (1, 48)),
        (
            spec(
                json!({"volumes": [{"type": "bind", "source": "/a", "target": "/b", "bind": {"recursive": "writable"}}]}),
            ),
            (1, 44),
        ),
        (second(json!({"mac_address": "02:00:00:00:00:01"})), (1, 44)),
        (attachment(json!({"gw_priority": 1})), (1, 48)),
        (attachment(json!({"interface_name": "eth9"})), (1, 49)),
    ] {
        let below = (needs.0, needs.1 - 1);
        assert!(container_config(&spec, needs).is_ok(), "{spec:?}");
        assert_eq!(container_config(&spec, below).unwrap_err().kind, ErrorKind::Unsupported { needs });
    }
}

#[test]
fn wrong_words_are_refused_with_the_right_ones() {
    for (service, part) in [
        (json!({"restart": "sometimes"}), "expected no, always"),
        (json!({"restart": "on-failure:x"}), "a whole number"),
        (json!({"cgroup": "mine"}), "host or private"),
        (
            json!({"volumes": [{"type": "bind", "source": "/a", "target": "/b", "bind": {"recursive": "x"}}]}),
            "expected enabled",
        ),
        (json!({"blkio_config": {"device_read_bps": [{"path": "/dev/sda"}]}}), "device_read_bps"),
    ] {
        let mut spec = spec(service);
        spec.service.name = "web".into();
        let error = container_config(&spec, (1, 51)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(error.message.starts_with("web: ") && error.message.contains(part), "{}", error.message);
    }
}

#[test]
fn networks_at_create_and_after_it() {
    let mut spec = spec(json!({"links": ["db:base"]}));
    let attach = |json| serde_json::from_value::<Attachment>(json).unwrap();
    spec.networks = IndexMap::from([
        ("p_front".into(), attach(json!({"aliases": ["web"], "ipv4_address": "10.0.0.9"}))),
        ("p_back".into(), attach(json!({"driver_opts": {"o": 1}}))),
    ]);
    let old = container_config(&spec, (1, 41)).unwrap();
    assert_eq!(old.connect.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["p_back"]);
    let new = container_config(&spec, (1, 44)).unwrap();
    assert!(new.connect.is_empty());
    let body = serde_json::to_value(new.body).unwrap();
    assert_eq!(body.pointer("/HostConfig/NetworkMode"), Some(&json!("p_front")));
    let ends = body.pointer("/NetworkingConfig/EndpointsConfig").unwrap();
    assert_eq!(ends["p_front"]["Aliases"], json!(["web"]));
    assert_eq!(ends["p_front"]["Links"], json!(["db:base"]));
    assert_eq!(ends["p_front"]["IPAMConfig"]["IPv4Address"], json!("10.0.0.9"));
    assert_eq!(ends["p_back"]["DriverOpts"], json!({"o": "1"}));
}

#[test]
fn older_engines_have_the_address_with_the_container() {
    let mut spec = spec(json!({"mac_address": "02:00:00:00:00:01"}));
    spec.networks = IndexMap::from([("n".into(), Attachment::default())]);
    assert_eq!(container_config(&spec, (1, 43)).unwrap().mac_address.as_deref(), Some("02:00:00:00:00:01"));
    let new = container_config(&spec, (1, 44)).unwrap();
    assert_eq!(new.mac_address, None);
    let body = serde_json::to_value(new.body).unwrap();
    assert_eq!(body.pointer("/NetworkingConfig/EndpointsConfig/n/MacAddress"), Some(&json!("02:00:00:00:00:01")));
}

#[test]
fn links_in_the_bridge_belong_to_the_container() {
    let links = json!({"links": ["db:base"], "network_mode": "bridge"});
    assert_eq!(body(&spec(links), (1, 41)).pointer("/HostConfig/Links"), Some(&json!(["db:base"])));
    assert_eq!(body(&spec(json!({"links": ["db:base"]})), (1, 41)).pointer("/HostConfig/Links"), None);
}

#[test]
fn an_entry_point_of_hob_keeps_the_command() {
    let mut spec = spec(json!({"entrypoint": ["e"], "command": ["c"]}));
    spec.entrypoint = Some(vec!["/agent".into(), "e".into()]);
    assert_eq!(body(&spec, (1, 41))["Entrypoint"], json!(["/agent", "e"]));
    assert_eq!(body(&spec, (1, 41))["Cmd"], json!(["c"]));
    spec.command = Some(vec!["d".into()]);
    assert_eq!(body(&spec, (1, 41))["Cmd"], json!(["d"]));
}

#[test]
fn ports_are_published_only_where_asked() {
    let mut spec = spec(json!({"ports": [{"target": 80, "published": "80"}]}));
    spec.publish = false;
    let body = body(&spec, (1, 41));
    assert_eq!(body.pointer("/HostConfig/PortBindings"), None);
    assert_eq!(body["ExposedPorts"], json!({"80/tcp": {}}));
}

#[test]
fn mounts_come_from_the_spec_and_not_from_the_service() {
    let mut spec = spec(json!({"volumes": [{"type": "volume", "source": "key", "target": "/b"}]}));
    spec.mounts = vec![Mount { source: Some("p_key".into()), target: "/b".into(), ..Default::default() }];
    assert_eq!(body(&spec, (1, 41)).pointer("/HostConfig/Mounts/0/Source"), Some(&json!("p_key")));
}
