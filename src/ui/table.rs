//! Tables, aligned as Docker does: three blanks between columns, nothing after the last.

use super::sanitize::sanitize;

/// The table's lines.
pub(super) fn lines(head: &[String], rows: &[Vec<String>], color: bool) -> Vec<String> {
    let cells: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(Vec::as_slice))
        .map(|row| row.iter().map(|cell| sanitize(cell, color).into_owned()).collect())
        .collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let column = cells.iter().filter_map(|row| row.get(column));
            column.map(|cell| console::measure_text_width(cell)).max().unwrap_or_default()
        })
        .collect();
    cells.iter().filter(|row| !row.is_empty()).map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        let pad = width.saturating_sub(console::measure_text_width(cell)) + 3;
        line.extend(std::iter::repeat_n(' ', pad));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(lines(&head, &rows, false).join("\n"), want);
    }

    #[test]
    fn a_table_without_heads_has_rows_only() {
        assert_eq!(lines(&[], &[vec!["a".to_owned(), "b".to_owned()]], false), ["a   b"]);
        assert!(lines(&[], &[], false).is_empty());
    }
}
