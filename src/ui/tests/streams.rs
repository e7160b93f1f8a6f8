//! What goes to which stream, and how exactly.

use super::*;

#[test]
fn status_on_stdout_takes_neither_errors_nor_programs_stderr_along() {
    let (out, err) = (Buffer::default(), Buffer::default());
    let streams = Streams::new(Box::new(out.clone()), Box::new(err.clone()), None).with_status_on_stdout();
    let events = [
        Event::Warning(Message::new("a warning")),
        started(0, "api", "start container shop-api-1", Reason::NoContainer),
        log("api", 1, "a line"),
        to_stderr(log("api", 1, "another")),
        done(0, "api", "start container shop-api-1", 1),
        Event::Error(Message::new("an error")),
    ];
    play(renderer(&SETTINGS, streams).as_mut(), events.into_iter().map(|event| (0, event)).collect());
    assert_eq!(err.text(), "warning: a warning\napi-1  | another\nerror: an error\n");
    let out = out.text();
    assert!(out.contains("start container shop-api-1") && out.contains("api-1  | a line"), "{out}");
    assert_eq!(out.lines().count(), 3, "{out}");
}

#[test]
fn results_go_to_standard_output_and_the_rest_to_standard_error() {
    for kind in [Kind::Plain, Kind::Tty] {
        let (out, err) = apart(
            &Settings { kind, ..SETTINGS },
            vec![
                started(1, "api", "create container", Reason::NoContainer),
                done(1, "api", "create container", 3),
                Event::Table {
                    head: vec!["NAME".into()],
                    rows: vec![vec!["shop-api-1".into()]],
                    layout: crate::event::Layout::OWN,
                },
                Event::Output { text: "name: shop".into() },
                log("api", 1, "hello"),
                to_stderr(log("api", 1, "oh")),
                Event::Warning(Message::new("odd")),
                Event::Notice { text: "done".into() },
            ],
        );
        assert_eq!(out, "NAME\nshop-api-1\nname: shop\napi-1  | hello\n", "{kind:?}");
        for text in ["create container", "warning: odd", "done", "api-1  | oh\n"] {
            assert!(err.contains(text), "{kind:?}: {text} is missing in {err}");
        }
    }
}

#[test]
fn output_is_exact_in_a_file_and_harmless_on_a_terminal() {
    let text = "a\x1b]0;evil\x07b\r\n\x1b[31mred";
    let output = || vec![Event::Output { text: text.into() }];
    assert_eq!(apart(&SETTINGS, output()).0, format!("{text}\n"));
    let tty = Settings { out_tty: true, ..SETTINGS };
    assert_eq!(apart(&tty, output()).0, "ab\nred\n");
    let color = Settings { out_color: true, ..tty };
    assert_eq!(apart(&color, output()).0, "ab\n\x1b[31mred\x1b[0m\n");
}

#[test]
fn logs_are_coloured_by_service_and_only_if_asked_for() {
    let line = || vec![log("api", 1, "\x1b[31mx"), log("db", 1, "y")];
    let colored = apart(&Settings { out_color: true, ..SETTINGS }, line()).0;
    let mut lines = colored.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("\x1b[") && first.ends_with("api-1  | \x1b[0m\x1b[31mx\x1b[0m"), "{first:?}");
    let plain_prefix = Settings { out_color: true, log_color: false, ..SETTINGS };
    assert_eq!(apart(&plain_prefix, line()).0, "api-1  | \x1b[31mx\x1b[0m\ndb-1   | y\n");
    assert_eq!(apart(&Settings { log_prefix: false, ..SETTINGS }, line()).0, "x\ny\n");
}

/// Fails from the beginning, as a pipe whose reader has gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_pipe_ends_output_silently_and_is_told_once() {
    let told = Arc::new(Mutex::new(0));
    let on_closed = {
        let told = Arc::clone(&told);
        Arc::new(move || *told.lock().unwrap() += 1)
    };
    let err = Buffer::default();
    let streams = Streams::new(Box::new(Broken), Box::new(err.clone()), Some(on_closed));
    let events = [log("api", 1, "a"), log("api", 1, "b"), Event::Notice { text: "still here".into() }];
    play(renderer(&SETTINGS, streams).as_mut(), events.into_iter().map(|event| (0, event)).collect());
    assert_eq!(*told.lock().unwrap(), 1);
    assert_eq!(err.text(), "still here\n");
}
