//! `--format`: rows as a table, as JSON, or by a template.

use std::str::FromStr;
use std::sync::Arc;

use super::exit::{Exit, Failure};
use crate::event::{Event, Layout};
use crate::template::{Error, Functions, Record, Template, Value};

/// How rows are shown.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// The command's own table.
    #[default]
    Table,
    /// A JSON object for each row.
    Json,
    /// A table with columns of a template.
    Columns(Template),
    /// What a template makes of each row.
    Lines(Template),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Docker's shells and scripts write tabs and line ends so.
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        let read = |text: &str| Template::new(text).map_err(|error| wrong(&error));
        Ok(match text.as_str() {
            "" | "table" => Self::Table,
            "json" => Self::Json,
            text => match text.strip_prefix("table") {
                Some(columns) => Self::Columns(read(columns.trim_matches(' '))?),
                None => Self::Lines(read(text)?),
            },
        })
    }
}

fn wrong(error: &Error) -> String {
    format!("template:{error}")
}

/// What can be listed: the words of its head, and the columns that are shown.
pub struct Listing {
    /// Each field and its word in the head of a table.
    pub head: &'static [(&'static str, &'static str)],
    /// The template of the command's own table.
    pub table: &'static str,
}

impl Listing {
    /// The rows as they are asked for. They have to have the fields that the head has.
    pub fn show(&self, format: &Format, rows: Vec<Record>, layout: Layout) -> Result<Event, Failure> {
        let rows = rows.into_iter().map(Value::from);
        let own;
        let columns = match format {
            Format::Json => {
                return Ok(Event::Output { text: rows.map(|row| row.json() + "\n").collect() });
            }
            Format::Lines(template) => {
                let filled = rows.map(|row| Ok(fill(template, &row, Functions::All)? + "\n"));
                return Ok(Event::Output { text: filled.collect::<Result<_, Failure>>()? });
            }
            Format::Columns(template) => template,
            Format::Table => {
                own = Template::new(self.table).map_err(|error| failure(&error))?;
                &own
            }
        };
        let mut lines = Vec::new();
        let mut add = |text: String| lines.extend(text.split('\n').map(cells));
        add(fill(columns, &self.head().into(), Functions::Head)?);
        for row in rows {
            add(fill(columns, &row, Functions::All)?);
        }
        let head = lines.remove(0);
        Ok(Event::Table { head, rows: lines, layout })
    }

    fn head(&self) -> Record {
        // `com.example.some-label` is `some label`.
        let label = |name: &str| name.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " ");
        Record {
            fields: self.head.iter().map(|(field, word)| (*field, Value::from(*word))).collect(),
            methods: vec![("Label", Arc::new(label))],
            open: true,
        }
    }
}

fn cells(line: &str) -> Vec<String> {
    line.split('\t').map(str::to_owned).collect()
}

fn fill(template: &Template, row: &Value, functions: Functions) -> Result<String, Failure> {
    template.fill(row, functions).map_err(|error| failure(&error))
}

fn failure(error: &Error) -> Failure {
    Failure::new(Exit::Usage, format!("--format: {}", wrong(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: Listing = Listing { head: &[("ID", "CONTAINER ID"), ("Name", "NAME")], table: "{{.Name}}\t{{.ID}}" };

    fn shown(format: &str) -> Result<Event, String> {
        let row = |id: &str, name: &str| Record {
            fields: vec![("ID", id.into()), ("Name", name.into())],
            methods: vec![("Label", Arc::new(|name: &str| format!("<{name}>")))],
            open: false,
        };
        let rows = vec![row("0a", "shop-a-1"), row("0b", "shop-b-1")];
        let format: Format = format.parse()?;
        LISTING.show(&format, rows, Layout::DOCKER).map_err(|failure| failure.to_string())
    }

    fn table(rows: &[&[&str]]) -> Event {
        let mut rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        Event::Table { head: rows.remove(0), rows, layout: Layout::DOCKER }
    }

    #[test]
    fn every_form_of_a_format() {
        let own = table(&[&["NAME", "CONTAINER ID"], &["shop-a-1", "0a"], &["shop-b-1", "0b"]]);
        let text = |text: &str| Event::Output { text: text.to_owned() };
        let cases = [
            ("", own.clone()),
            ("table", own),
            ("json", text("{\"ID\":\"0a\",\"Name\":\"shop-a-1\"}\n{\"ID\":\"0b\",\"Name\":\"shop-b-1\"}\n")),
            ("{{.ID}}\\t{{upper .Name}}", text("0a\tSHOP-A-1\n0b\tSHOP-B-1\n")),
            ("{{.ID}}\\n", text("0a\n\n0b\n\n")),
            ("x", text("x\nx\n")),
            (
                "table {{.ID}}\\t{{lower .Name}}\\t{{.Label \"a.b-c\"}}",
                table(&[
                    &["CONTAINER ID", "NAME", "b c"],
                    &["0a", "shop-a-1", "<a.b-c>"],
                    &["0b", "shop-b-1", "<a.b-c>"],
                ]),
            ),
            ("table{{.ID}}\\nx", table(&[&["CONTAINER ID"], &["x"], &["0a"], &["x"], &["0b"], &["x"]])),
        ];
        for (format, want) in cases {
            assert_eq!(shown(format), Ok(want), "{format}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(
            shown("{{.Nam}}").unwrap_err(),
            "--format: template:1:3: there is no field .Nam; did you mean .Name?"
        );
        assert_eq!(shown("table {{.Name").unwrap_err(), "template:1:1: this action has no end; expected `}}`");
    }
}
