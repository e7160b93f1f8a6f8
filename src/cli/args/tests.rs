use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(Name::Hob, line.split_whitespace().map(OsString::from))
}

#[test]
fn clap_finds_no_contradiction() {
    Cli::command().debug_assert();
}

#[test]
fn command_lines_of_compose_are_understood() {
    let lines = [
        "hob -f a.yaml -f b.yaml -p shop --profile debug --profile x --env-file .env.dev up -d",
        "hob ps --services --filter status=running --no-trunc -q",
        "hob ls -a -q --filter name=shop --format pretty",
        "hob images -q --format json a b",
        "hob volumes -q --format {{.Name}} a",
        "hob port --index 2 --protocol udp a 53",
        "hob top a b",
        "hob stats -a --no-stream --no-trunc --format json a",
        "hob events --json --since 1h --until 2026-01-02T13:23:37Z a",
        "hob version -f json",
        "hob --progress plain --ansi never up --build --wait --wait-timeout 60 api web",
        "hob up --progress=json --force-recreate --remove-orphans -V -t 5 --scale api=3 --scale worker=0 -y",
        "hob up --abort-on-container-exit --exit-code-from test --attach test --no-log-prefix --timestamps",
        "hob up --no-deps --no-start --pull never --quiet-pull -w",
        "hob down -v --rmi local --remove-orphans -t 0",
        "hob ps -a -q --status running --status exited --filter status=running --format json --no-trunc --orphans=false",
        "hob logs -f -n 10 -t --since 42m --until 2026-01-02T13:23:37Z --no-color --no-log-prefix --index 2 api",
        "hob logs --tail=all",
        "hob exec -it api sh",
        "hob exec -T -e A=1 -e B -u root -w /tmp --index 1 --privileged api ls -l --color=never",
        "hob exec api -- ls",
        "hob run --rm -it -p 80:80 -v .:/src -e A=1 -l x=y --entrypoint sh --cap-add NET_ADMIN api -c ls",
        "hob run --rm --service-ports --no-deps --use-aliases -i=false --name x api",
        "hob run -T --build -q --pull always api pytest -k name",
        "hob build --no-cache --pull --build-arg A=1 --build-arg B -q --with-dependencies api",
        "hob restart -t 3 --no-deps api",
        "hob stop -t 3",
        "hob start api",
        "hob kill -s SIGUSR1 api",
        "hob rm -fsv api",
        "hob pause api web",
        "hob unpause --dry-run",
        "hob wait --down-project api web",
        "hob scale --no-deps api=3 web=0",
        "hob create --build --force-recreate --pull build --quiet-pull --remove-orphans --scale api=2 -y api",
        "hob create --no-build --no-recreate --pull=never --dry-run",
        "hob up --pull build -d",
        "hob run --pull build api",
        "hob stop --dry-run api",
        "hob pull -q --include-deps --ignore-pull-failures --ignore-buildable --policy missing",
        "hob watch --no-up --prune=false --quiet --timings api",
        "hob config --format json -q",
        "hob config --services",
        "hob config --hash *",
        "hob config --no-interpolate -o out.yaml api",
        "hob config --explain services.api.image",
        "hob config --services --images --no-normalize --no-path-resolution --no-consistency --no-env-resolution",
        "hob config --resolve-image-digests --lock-image-digests --variables",
        "hob why api",
        "hob why --file src/main.py --format json",
        "hob -C sub init shop --force",
        "hob completions zsh",
        "hob version --short",
        "hob version -f json",
        "hob prune --dry-run",
        "hob --dry-run restart api",
        "hob rm --dry-run -a -f",
        "hob --context box -D ps",
        "hob -H tcp://box --tlsverify --log-level debug ps",
        "hob --no-ansi --workdir /tmp --compatibility --all-resources config",
        "hob build --compress --force-rm --no-rm --parallel --progress plain api",
        "hob pull --no-parallel",
        "hob down --volume",
        "hob up -d -d --remove-orphans=true --force-recreate=false --no-recreate --wait=false -t0",
        "hob run --rm=true -i=0 -eA=b -v/tmp:/y --volumes .:/z --labels a=b -uroot api ls",
        "hob exec -T=true -u0 -w/tmp api ls",
        "hob build --no-cache=false --pull=true -q=true",
        "hob down --volumes=true -t=0",
        "hob ps --orphans=F --all=false",
        "hob --parallel 2 up -d --menu=false --quiet-build",
        "hob up --parallel=-1 --remove-orphans api",
    ];
    for line in lines {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn contradictions_are_refused() {
    let lines = [
        "hob up -d --watch",
        "hob up -d --abort-on-container-exit",
        "hob up -d --exit-code-from api",
        "hob up --build --no-build",
        "hob up --force-recreate --no-recreate",
        "hob up --watch --no-watch",
        "hob up --attach a --attach-dependencies",
        "hob run -P -p 80:80 api",
        "hob create --build --no-build",
        "hob create --force-recreate --no-recreate",
    ];
    for line in lines {
        assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{line}");
    }
}

#[test]
fn values_are_checked() {
    let lines = [
        "hob up --scale api",
        "hob up --scale =3",
        "hob up --scale api=many",
        "hob scale api",
        "hob scale api=-1",
        "hob create --pull policy",
        "hob logs --tail some",
        "hob down --rmi some",
        "hob --progress some ps",
        "hob init nothing",
        "hob completions cmd",
        "hob ps --status gone",
        "hob ps --orphans=maybe",
    ];
    for line in lines {
        let kind = parse(line).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::ValueValidation | ErrorKind::InvalidValue), "{line}: {kind:?}");
    }
}

#[test]
fn the_letters_of_a_command_are_its_own() {
    let cli = parse("hob -f a.yaml -p shop logs -f").unwrap();
    assert_eq!((cli.global.files, cli.global.project_name), (vec!["a.yaml".into()], Some("shop".to_owned())));
    assert!(matches!(cli.command, Command::Logs(LogsArgs { follow: true, .. })));
    let cli = parse("hob run -p 80:80 api -p 1 -f x").unwrap();
    let Command::Run(run) = cli.command else { panic!() };
    assert_eq!(
        (run.publish.clone(), run.command().to_vec()),
        (vec!["80:80".to_owned()], ["-p", "1", "-f", "x"].map(String::from).to_vec())
    );
}

#[test]
fn what_comes_behind_the_service_is_the_commands() {
    let cases = [
        ("hob exec api ls --verbose -T", vec!["ls", "--verbose", "-T"]),
        ("hob exec -T api --help", vec!["--help"]),
        ("hob exec api -- ls -l", vec!["ls", "-l"]),
        ("hob exec api --help", vec!["--help"]),
        ("hob exec api sh -c x -- y", vec!["sh", "-c", "x", "--", "y"]),
    ];
    for (line, want) in cases {
        let Command::Exec(exec) = parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).command else {
            panic!()
        };
        assert_eq!(exec.command(), want, "{line}");
        assert_eq!(exec.service(), "api");
    }
}

#[test]
fn what_is_no_option_is_not_taken_for_the_service() {
    for line in ["hob exec -X api ls", "hob run --nothing api", "hob run -Tx api"] {
        assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::UnknownArgument, "{line}");
    }
    let Command::Exec(exec) = parse("hob exec -uroot -w/tmp -eA=b -T api ls").unwrap().command else { panic!() };
    let env = KeyValue { key: "A".to_owned(), value: Some("b".to_owned()) };
    assert_eq!((exec.user.as_deref(), exec.workdir.as_deref(), exec.env), (Some("root"), Some("/tmp"), vec![env]));
    assert!(exec.no_tty);
}

#[test]
fn the_last_word_on_an_option_holds() {
    let Command::Up(up) = parse("hob up -d -t 3 --detach=false -t 5 --wait=false --wait").unwrap().command else {
        panic!()
    };
    assert_eq!((up.detach, up.wait, up.timeout), (false, true, Some(5)));
    for (line, want) in
        [("", None), ("--remove-orphans", Some(true)), ("--remove-orphans --remove-orphans=0", Some(false))]
    {
        let Command::Up(up) = parse(&format!("hob up {line}")).unwrap().command else { panic!() };
        assert_eq!(up.remove_orphans, want, "{line}");
    }
}

#[test]
fn up_watches_in_the_foreground() {
    let cases = [
        ("hob up", true, true),
        ("hob up --no-watch", true, false),
        ("hob up -d", false, false),
        ("hob up --wait", false, false),
        ("hob up --no-start", false, false),
        ("hob up --watch", true, true),
    ];
    for (line, foreground, watches) in cases {
        let Command::Up(up) = parse(line).unwrap().command else { panic!() };
        assert_eq!((up.foreground(), up.watches()), (foreground, watches), "{line}");
    }
}

#[test]
fn defaults_are_composes() {
    let Command::Ps(ps) = parse("hob ps").unwrap().command else { panic!() };
    assert!(ps.orphans && matches!(ps.format, crate::cli::format::Format::Table));
    let Command::Watch(watch) = parse("hob watch").unwrap().command else { panic!() };
    assert!(watch.prune);
    let Command::Run(run) = parse("hob run api").unwrap().command else { panic!() };
    assert!(run.interactive);
    let Command::Kill(kill) = parse("hob kill").unwrap().command else { panic!() };
    assert_eq!(kill.signal, "SIGKILL");
    let Command::Logs(logs) = parse("hob logs --tail -1").unwrap().command else { panic!() };
    assert_eq!(logs.tail, Tail(None));
}

#[test]
fn no_option_of_a_command_has_the_id_of_a_global_one() {
    let cli = Cli::command();
    let global: Vec<_> = cli.get_arguments().map(clap::Arg::get_id).collect();
    for command in cli.get_subcommands() {
        for arg in command.get_arguments() {
            assert!(!global.contains(&arg.get_id()), "{} {}", command.get_name(), arg.get_id());
        }
    }
}

#[test]
fn a_misspelt_command_gets_a_suggestion() {
    let error = parse("hob wtach").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSubcommand);
    assert!(error.to_string().contains("'watch'"), "{error}");
}

#[test]
fn progress_and_ansi_may_come_from_composes_variables() {
    let env = |name: &str| match name {
        "COMPOSE_PROGRESS" => Some("plain".to_owned()),
        "COMPOSE_ANSI" => Some("nonsense".to_owned()),
        _ => None,
    };
    let options = parse("hob ps").unwrap().global.ui(env).unwrap();
    assert_eq!((options.progress, options.ansi), (ui::Progress::Plain, ui::Ansi::Auto));
    let options = parse("hob --progress json --ansi always ps").unwrap().global.ui(env).unwrap();
    assert_eq!((options.progress, options.ansi), (ui::Progress::Json, ui::Ansi::Always));
    let odd = |_: &str| Some("some".to_owned());
    assert!(parse("hob ps").unwrap().global.ui(odd).is_err());
    assert!(parse("hob --progress quiet ps").unwrap().global.ui(odd).is_ok());
}

#[test]
fn every_command_and_option_has_a_help_text() {
    fn check(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path} has no help");
        for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() || arg.is_hide_set(), "{path}: {} has no help", arg.get_id());
            assert!(arg.is_hide_set() || !help.ends_with('.'), "{path}: {}: {help}", arg.get_id());
        }
        for sub in command.get_subcommands() {
            check(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    check(&Cli::command(), "hob");
}
