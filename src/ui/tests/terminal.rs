//! What a terminal shows.

use super::*;

/// A terminal in memory that both streams write to.
#[derive(Clone)]
struct Screen(Arc<Mutex<vt100::Parser>>);

impl Screen {
    fn new(rows: u16, columns: u16) -> Self {
        Self(Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0))))
    }

    fn text(&self) -> String {
        let parser = self.0.lock().unwrap();
        let rows: Vec<String> = parser.screen().rows(0, u16::MAX).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    fn tty(&self, settings: Settings) -> tty::Tty {
        let streams = Streams::new(Box::new(self.clone()), Box::new(self.clone()), None);
        let screen = self.clone();
        let size = move || {
            let (rows, columns) = screen.0.lock().unwrap().screen().size();
            (usize::from(rows), usize::from(columns))
        };
        let bars = tty::Bars::new(settings.utf8, size);
        tty::Tty::new(&Settings { kind: Kind::Tty, out_tty: true, ..settings }, streams, bars)
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A terminal driver turns line feeds into returns and line feeds.
        let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
        self.0.lock().unwrap().process(text.as_bytes());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_terminal_shows_what_is_going_on() {
    let screen = Screen::new(24, 72);
    let mut tty = screen.tty(SETTINGS);
    let mut shots = Vec::new();
    for (at, event) in up() {
        tty.event(event, ms(at));
        tty.flush(ms(at));
        if [700, 5_900, 6_200, 9_900].contains(&at) {
            tty.tick(ms(at + 100));
            shots.push(format!("--- at {at} ms\n{}", screen.text()));
        }
    }
    // The second of the two events at 700 and at 6,200 ms shows all of the first.
    insta::assert_snapshot!(shots.join("\n"));
    tty.release(ms(10_000));
    let text = screen.text();
    assert!(!text.contains('⠋') && text.ends_with("stopping (Ctrl-C); press it again to kill"), "{text}");
}

#[test]
fn a_terminal_shows_a_failure_whole_and_last() {
    let screen = Screen::new(24, 72);
    let mut tty = screen.tty(SETTINGS);
    play(&mut tty, failing());
    insta::assert_snapshot!(screen.text());
}

#[test]
fn what_does_not_fit_is_counted_and_nothing_is_left_behind() {
    let screen = Screen::new(6, 40);
    let mut tty = screen.tty(Settings { utf8: false, ..SETTINGS });
    for number in 0..9 {
        let what = "create a container with a name that is longer than any terminal is wide";
        tty.event(started(number, &format!("s{number}"), what, Reason::NoContainer), ms(0));
    }
    tty.tick(ms(100));
    insta::assert_snapshot!(screen.text());
    tty.release(ms(200));
    assert_eq!(screen.text(), "", "the area is gone when the terminal is given away");
}

#[test]
fn a_log_line_is_above_the_area_at_once() {
    let screen = Screen::new(10, 40);
    let mut tty = screen.tty(SETTINGS);
    tty.event(started(1, "api", "start container x", Reason::NoContainer), ms(0));
    tty.flush(ms(0));
    tty.event(log("api", 1, "one"), ms(1));
    tty.flush(ms(1));
    assert_eq!(screen.text(), "api-1  | one\n⠋ api  start container x");
    tty.event(log("api", 1, "two"), ms(2));
    tty.flush(ms(2));
    assert_eq!(screen.text(), "api-1  | one\napi-1  | two\n⠋ api  start container x");
    tty.release(ms(3));
    assert_eq!(screen.text(), "api-1  | one\napi-1  | two");
    assert_eq!(tty.next_tick(ms(3)), None, "nothing is drawn while the terminal is another's");
}

#[test]
fn a_build_of_a_watch_is_shown_until_its_reload_is_told() {
    let screen = Screen::new(12, 60);
    let mut tty = screen.tty(SETTINGS);
    let both = services(["api", "worker"]);
    tty.event(build_step(&services(["api"]), "a", "[2/3] RUN make"), ms(0));
    tty.event(build_step(&both, "b", "[1/2] RUN sleep"), ms(0));
    tty.event(Event::Pulling { image: "redis:7".into(), current: 0, total: 0 }, ms(0));
    // The first build was given up for one whose step has another id.
    tty.event(build_step(&both, "c", "[1/2] RUN sleep"), ms(100));
    let services = both.clone();
    let (what, current, total) = ("transferring context".into(), 1_500, 3_000);
    tty.event(Event::BuildTransfer { services, step: "c".into(), what, current, total }, ms(0));
    tty.tick(ms(200));
    insta::assert_snapshot!(screen.text());
    tty.event(reloaded(ReloadAction::Rebuilt { recreated: false }, timings(), None), ms(900));
    tty.tick(ms(1_000));
    assert!(!screen.text().contains("RUN make") && screen.text().contains("redis:7"), "{}", screen.text());
}
