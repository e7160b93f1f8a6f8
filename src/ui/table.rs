//! Tables, aligned as Docker does. Where rows have as many cells as the head, columns stand below each other; else a
//! column goes on as long as the rows that follow each other have it, as in Go's `text/tabwriter`, by which Docker aligns.

use crate::event::Layout;

use super::sanitize::sanitize;

/// The table's lines.
pub(super) fn lines(head: &[String], rows: &[Vec<String>], layout: Layout, color: bool) -> Vec<String> {
    let cells: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(Vec::as_slice))
        .filter(|row| !row.is_empty())
        .map(|row| row.iter().map(|cell| sanitize(cell, color).into_owned()).collect())
        .collect();
    let mut widths: Vec<Vec<usize>> = cells.iter().map(|row| vec![0; row.len()]).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or_default();
    for column in 0..columns {
        // What is last in its row belongs to no column.
        let has = |row: &Vec<String>| row.len() > column + 1;
        let mut start = 0;
        while start < cells.len() {
            let end = start + cells[start..].iter().take_while(|row| has(row)).count();
            let width =
                cells[start..end].iter().map(|row| console::measure_text_width(&row[column]) + layout.gap).max();
            for row in &mut widths[start..end] {
                row[column] = width.unwrap_or_default().max(layout.least);
            }
            start = end.max(start + 1);
        }
    }
    cells.iter().zip(&widths).map(|(row, widths)| line(row, widths, layout)).collect()
}

fn line(row: &[String], widths: &[usize], layout: Layout) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        let pad = width.saturating_sub(console::measure_text_width(cell));
        line.extend(std::iter::repeat_n(' ', pad));
    }
    if layout == Layout::OWN {
        line.truncate(line.trim_end().len());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn columns_line_up() {
        let head = ["NAME", "SERVICE", "STATUS"].map(String::from);
        let rows = [
            vec!["shop-api-1".to_owned(), "api".to_owned(), "Up 3 seconds (healthy)".to_owned()],
            vec!["shop-db-1".to_owned(), "日本".to_owned(), "\x1b[2JUp\nnow".to_owned()],
            vec!["x".to_owned(), String::new(), String::new()],
        ];
        let want = "\
NAME         SERVICE   STATUS
shop-api-1   api       Up 3 seconds (healthy)
shop-db-1    日本      Up now
x";
        assert_eq!(lines(&head, &rows, Layout::OWN, false).join("\n"), want);
    }

    #[test]
    fn a_table_without_heads_has_rows_only() {
        assert_eq!(lines(&[], &[vec!["a".to_owned(), "b".to_owned()]], Layout::OWN, false), ["a   b"]);
        assert!(lines(&[], &[], Layout::OWN, false).is_empty());
    }

    #[test]
    fn columns_have_a_least_width_and_blanks_to_their_end() {
        let rows = table("NAME|PORTS\na-long-name|");
        assert_eq!(lines(&[], &rows, Layout::DOCKER, false), ["NAME          PORTS", "a-long-name   "]);
        let rows = table("NAME|X\na|b");
        assert_eq!(lines(&[], &rows, Layout::DOCKER, false), ["NAME      X", "a         b"]);
        assert_eq!(lines(&[], &rows, Layout::COMPOSE, false)[1], format!("a{}b", " ".repeat(19)));
        assert_eq!(lines(&[], &rows, Layout::TOP, false), ["NAME  X", "a     b"]);
    }

    /// What Docker prints for `table {{.Name}}{{if eq .Service "a"}}\t{{end}}\t{{.ID}}`.
    #[test]
    fn a_column_goes_on_as_long_as_rows_have_it() {
        let rows = table("NAME|ID\nshop-a-1||0a\nshop-built-1|0c");
        let want = ["NAME           ID", "shop-a-1                 0a", "shop-built-1   0c"];
        assert_eq!(lines(&[], &rows, Layout::DOCKER, false), want);
    }
}
