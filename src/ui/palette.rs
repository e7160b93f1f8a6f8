//! Colours: a service has the same one in every run, and two services differ as long as there are colours.

use std::collections::HashMap;

use anstyle::{AnsiColor, Color, Style};

/// Colours that read well on dark and on light, without red, which says that something failed.
const COLORS: [AnsiColor; 10] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightYellow,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
];

/// Colours of services.
#[derive(Debug, Default)]
pub(super) struct Palette {
    given: HashMap<String, usize>,
    used: [usize; COLORS.len()],
}

impl Palette {
    /// The service's colour. The name says which; where another service has that one, the next that is least used.
    pub fn color(&mut self, service: &str) -> Style {
        let slot = if let Some(slot) = self.given.get(service) {
            *slot
        } else {
            let first = preferred(service);
            let least = self.used.iter().copied().min().unwrap_or_default();
            let slots = (0..COLORS.len()).map(|step| (first + step) % COLORS.len());
            let slot = slots.into_iter().find(|&slot| self.used[slot] == least).unwrap_or(first);
            self.used[slot] += 1;
            self.given.insert(service.to_owned(), slot);
            slot
        };
        Style::new().fg_color(Some(Color::Ansi(COLORS[slot])))
    }

    /// Gives colours to services in the order of their names, so that who speaks first does not matter.
    pub fn assign<'a>(&mut self, services: impl IntoIterator<Item = &'a str>) {
        let mut services: Vec<&str> = services.into_iter().collect();
        services.sort_unstable();
        for service in services {
            self.color(service);
        }
    }
}

/// FNV-1a: the same in every run and on every machine.
fn preferred(service: &str) -> usize {
    let hash = service.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash).unwrap_or_default() % COLORS.len()
}

/// Styles for what is not a service.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const HELP: Style = AnsiColor::Cyan.on_default();
pub(super) const DONE: Style = AnsiColor::Green.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const BOLD: Style = Style::new().bold();

/// Text in a style, if there are colours.
pub(super) fn paint(text: &str, style: Style, color: bool) -> String {
    if color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_keeps_its_colour_and_few_services_differ() {
        let names = ["api", "broker", "cache", "db", "migrate", "web", "worker"];
        let mut one = Palette::default();
        one.assign(names);
        let mut other = Palette::default();
        other.assign(names.into_iter().rev());
        let colors: Vec<Style> = names.iter().map(|name| one.color(name)).collect();
        for (at, (name, color)) in names.iter().zip(&colors).enumerate() {
            assert_eq!(other.color(name), *color, "{name}");
            assert!(!colors[..at].contains(color), "{name} shares its colour");
        }
    }

    #[test]
    fn more_services_than_colours_share_evenly() {
        let mut palette = Palette::default();
        for number in 0..COLORS.len() * 2 {
            palette.color(&format!("service-{number}"));
        }
        assert!(palette.used.iter().all(|&used| used == 2), "{:?}", palette.used);
    }
}
