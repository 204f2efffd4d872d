//! Text for people: numbers, tables, colours, lines on standard error.

use std::io::{self, IsTerminal, Write};

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{
    CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle,
};

/// Columns of a table where the output is not a terminal.
const WIDTH: u16 = 100;

/// Keras's table: heavy lines around the header, a light line between rows.
const ROWS: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┏', '━', '┳', '┓'))
    .header_lines(ContentLineStyle::new('┃', '┃', '┃'))
    .header_separator(LineStyle::new('┡', '━', '╇', '┩'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .row_separator(LineStyle::new('├', '─', '┼', '┤'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// A list in columns, without lines.
const LIST: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::new(' ', ' ', ' '))
    .content_lines(ContentLineStyle::new(' ', ' ', ' '));

/// A table in Keras's style.
pub fn table(header: &[&str]) -> Table {
    styled(ROWS, header)
}

/// A table without lines.
pub fn list(header: &[&str]) -> Table {
    styled(LIST, header)
}

/// A list whose lines are never broken.
pub fn wide_list(header: &[&str]) -> Table {
    let mut table = list(header);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn styled(style: TableStyle, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(WIDTH);
    }
    table
}

/// Aligns columns to the right.
pub fn align_right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// `1,234,567`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size as Keras prints it: `80.00 B`, `1.08 KB`, in steps of 1024.
pub fn size(bytes: usize) -> String {
    let mut amount = bytes as f64;
    let mut units = ["B", "KB", "MB", "GB", "TB"].iter();
    let mut unit = units.next();
    while amount >= 1024.0 && !units.as_slice().is_empty() {
        amount /= 1024.0;
        unit = units.next();
    }
    format!("{amount:.2} {}", unit.unwrap_or(&"B"))
}

/// `1 layer`, `2 layers`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Green text, on a terminal.
pub fn good(text: &str) -> String {
    paint(text, AnsiColor::Green, io::stdout().is_terminal())
}

/// Red text, on a terminal.
pub fn bad(text: &str) -> String {
    paint(text, AnsiColor::Red, io::stdout().is_terminal())
}

fn paint(text: &str, color: AnsiColor, terminal: bool) -> String {
    let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let style = if plain { Style::new() } else { Style::new().fg_color(Some(color.into())).bold() };
    format!("{style}{text}{style:#}")
}

/// One line on standard error that says what failed.
pub fn error(message: &str) {
    let label = paint("error:", AnsiColor::Red, io::stderr().is_terminal());
    line(&format!("{label} {}", one_line(message)));
}

/// One line on standard error. Nobody can be told where it cannot be written.
pub fn line(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Drivers report in several lines.
fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_keras_writes_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 80, 1104, 3 << 30].map(size), ["0.00 B", "80.00 B", "1.08 KB", "3.00 GB"]);
        assert_eq!([1, 2].map(|n| count(n, "layer")), ["1 layer", "2 layers"]);
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(one_line("a:\n  b\n\n  c\n"), "a:; b; c");
    }
}
