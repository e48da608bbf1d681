//! Pictures of numbers as inline SVG, whose colours are those of the page's style.

use std::fmt::Write as _;

use crate::money::drawn;
use crate::page::{Chart, Column, Data, Estimate, Step};

/// Draws a chart that is `width` pixels wide.
pub(super) fn draw(chart: &Chart, width: u32) -> String {
    let width = f64::from(width);
    let (height, body) = match &chart.data {
        Data::Columns(columns) => self::columns(columns, width),
        Data::Bridge(steps) => bridge(steps, width),
        Data::Intervals(estimates) => intervals(estimates, width),
    };
    let (title, description) = (escape(&chart.title), escape(&chart.description));
    // As many rows as there are estimates: on paper it may be as high as they need.
    let class = if matches!(chart.data, Data::Intervals(_)) { " class=\"rows\"" } else { "" };
    format!(
        "<svg{class} viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\
         <title>{title}</title><desc>{description}</desc>{body}</svg>"
    )
}

/// Columns over time, with a mark at the height of the same step before.
fn columns(columns: &[Column], width: f64) -> (f64, String) {
    const LEFT: f64 = 52.0;
    const TOP: f64 = 26.0;
    const BOTTOM: f64 = 22.0;
    let height = if width < 500.0 { 190.0 } else { 240.0 };
    let values = columns.iter().flat_map(|column| [column.value, column.before]).flatten();
    let (top, step) = scale(values.map(drawn).fold(0.0, f64::max));
    let (plot, ground) = (height - TOP - BOTTOM, height - BOTTOM);
    let y = |value: f64| ground - bounded(value, top) / top * plot;
    let mut out = String::new();
    let mut line = 0.0;
    while line <= top * 1.001 {
        let at = y(line);
        let _ = write!(out, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{width:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            axis(line, step)
        );
        line += step;
    }
    let slot = (width - LEFT) / columns.len().max(1) as f64;
    let bar = (slot * 0.62).clamp(1.0, 56.0);
    let every = (44.0 / slot).ceil().max(1.0) as usize;
    for (position, column) in columns.iter().enumerate() {
        let middle = LEFT + slot * (position as f64 + 0.5);
        if let Some(value) = column.value.map(drawn).filter(|value| *value > 0.0) {
            let at = y(value);
            let _ = write!(
                out,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{at:.1}\" width=\"{bar:.1}\" height=\"{:.1}\" rx=\"{:.1}\"><title>{}: {}</title></rect>",
                middle - bar / 2.0,
                (ground - at).max(1.0),
                (bar / 8.0).min(3.0),
                escape(&column.label),
                escape(&column.text)
            );
        }
        if let Some(before) = column.before {
            let (at, half) = (y(drawn(before)), (bar / 2.0 + slot * 0.08).min(slot / 2.0));
            let _ = write!(
                out,
                "<line class=\"past\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
                middle - half,
                middle + half
            );
        }
        if position % every == 0 {
            let _ = write!(
                out,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                height - 6.0,
                escape(&column.label)
            );
        }
    }
    if columns.iter().any(|column| column.before.is_some()) {
        let _ = write!(
            out,
            "<rect class=\"bar\" x=\"{LEFT}\" y=\"4\" width=\"11\" height=\"11\" rx=\"2\"/><text x=\"{:.1}\" y=\"14\">this period</text>\
             <line class=\"past\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"10\" y2=\"10\"/><text x=\"{:.1}\" y=\"14\">the one before</text>",
            LEFT + 16.0,
            LEFT + 96.0,
            LEFT + 112.0,
            LEFT + 118.0
        );
    }
    (height, out)
}

/// Bars from one end to the other, each beginning where the one above it ends.
fn bridge(steps: &[Step], width: f64) -> (f64, String) {
    const ROW: f64 = 27.0;
    const LEFT: f64 = 92.0;
    const RIGHT: f64 = 84.0;
    let mut at = 0.0;
    let spans: Vec<(f64, f64)> = steps
        .iter()
        .map(|step| {
            let from = if step.whole { 0.0 } else { at };
            at = from + drawn(step.value);
            (from, at)
        })
        .collect();
    let ends = || spans.iter().flat_map(|(from, to)| [*from, *to]);
    let (low, high) = (ends().fold(0.0, f64::min), ends().fold(f64::MIN_POSITIVE, f64::max));
    let x = |value: f64| LEFT + (value - low) / (high - low) * (width - LEFT - RIGHT);
    let mut out = String::new();
    for (position, (step, (from, to))) in steps.iter().zip(&spans).enumerate() {
        let top = position as f64 * ROW;
        let (left, right) = (x(from.min(*to)), x(from.max(*to)));
        let class = match step.whole {
            false if to > from => "up",
            false if to < from => "down",
            _ => "end",
        };
        let _ = write!(
            out,
            "<text class=\"strong\" x=\"0\" y=\"{text:.1}\">{}</text><rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>\
             <text class=\"strong\" x=\"{width:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>",
            escape(&step.label),
            top + 4.0,
            (right - left).max(1.5),
            ROW - 9.0,
            escape(&step.text),
            text = top + ROW / 2.0 + 4.0,
        );
        if position + 1 < steps.len() {
            let (at, from, to) = (x(*to), top + ROW - 5.0, top + ROW + 4.0);
            let _ = write!(out, "<line class=\"link\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\"/>");
        }
    }
    (ROW * steps.len() as f64 + 2.0, out)
}

/// Estimates as dots, each within its interval; where it is narrow, each below its name.
fn intervals(estimates: &[Estimate], width: f64) -> (f64, String) {
    let narrow = width < 500.0;
    let (row, left, right, most) = if narrow { (40.0, 12.0, 92.0, 46) } else { (26.0, 250.0, 90.0, 38) };
    let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
    let ends = || estimates.iter().flat_map(|one| [finite(one.low), finite(one.high)]);
    let (low, high) = (ends().fold(0.0, f64::min), ends().fold(f64::MIN_POSITIVE, f64::max));
    let step = scale(high - low).1;
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    let x = |value: f64| left + (finite(value) - low) / (high - low) * (width - left - right);
    let ground = row * estimates.len() as f64 + 4.0;
    let mut out = String::new();
    let mut line = low;
    while line <= high * 1.001 {
        let at = x(line);
        let _ = write!(out, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{ground:.1}\"/>");
        let _ = write!(
            out,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            ground + 14.0,
            tidy(line, step)
        );
        line += step;
    }
    for (position, one) in estimates.iter().enumerate() {
        let top = position as f64 * row;
        let (name, middle) = if narrow { (top + 14.0, top + 27.0) } else { (top + row / 2.0 + 4.0, top + row / 2.0) };
        let _ = write!(
            out,
            "<text class=\"strong\" x=\"0\" y=\"{name:.1}\"><title>{}</title>{}</text>\
             <line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/><circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"4.5\"/>\
             <text class=\"strong\" x=\"{width:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            escape(&one.label),
            escape(&shortened(&one.label, most)),
            x(one.low),
            x(one.high),
            x(one.value),
            middle + 4.0,
            escape(&one.text),
        );
    }
    (ground + 20.0, out)
}

fn bounded(value: f64, top: f64) -> f64 {
    if value.is_finite() { value.clamp(0.0, top) } else { 0.0 }
}

/// The end of an axis that reaches `highest`, and the distance of its lines: 1, 2 or 5 times a power of ten.
fn scale(highest: f64) -> (f64, f64) {
    if !highest.is_finite() || highest <= 0.0 {
        return (1.0, 0.5);
    }
    let rough = highest / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough);
    let step = step.unwrap_or(power * 10.0);
    ((highest / step).ceil() * step, step)
}

/// A number of dollars at an axis: with cents where whole dollars are too few.
fn axis(value: f64, step: f64) -> String {
    format!("${}", tidy(value, if step < 1.0 { step.min(0.05) } else { step }))
}

/// With as many digits as the distance of lines needs.
fn tidy(value: f64, step: f64) -> String {
    let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    if value.abs() >= 1_000.0 && places == 0 {
        return tracewell_blocks::count(value.round() as i64);
    }
    format!("{value:.places$}")
}

/// In at most so many letters: what stands at the end tells names apart as well as what stands at the beginning.
fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let (begin, end) = (most / 2 - 1, most - most / 2);
    text.chars().take(begin).chain(['…']).chain(text.chars().skip(length - end)).collect()
}

fn escape(text: &str) -> String {
    let text = tracewell_blocks::tidy(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        for (highest, expected) in
            [(0.0, (1.0, 0.5)), (8.0, (8.0, 2.0)), (9.1, (10.0, 5.0)), (1_300.0, (1_500.0, 500.0))]
        {
            assert_eq!(scale(highest), expected, "{highest}");
        }
        let (top, step) = scale(0.0432);
        assert!((top - 0.06).abs() < 1e-12 && (step - 0.02).abs() < 1e-12, "{top} {step}");
        assert_eq!([axis(0.02, 0.02), axis(1_500.0, 500.0), axis(2.0, 2.0)], ["$0.02", "$1,500", "$2"]);
        assert_eq!([axis(0.0, 0.5), axis(0.5, 0.5), axis(0.004, 0.002)], ["$0.00", "$0.50", "$0.004"]);
    }

    #[test]
    fn lines_below_zero_stand_at_round_numbers() {
        let one = Estimate { label: "x".into(), value: 0.1, low: -0.37, high: 0.6, text: "y".into() };
        let (_, out) = intervals(&[one], 720.0);
        let numbers: Vec<&str> =
            out.split("text-anchor=\"middle\">").skip(1).filter_map(|at| at.split('<').next()).collect();
        assert_eq!(numbers, ["-0.5", "0.0", "0.5", "1.0"]);
    }

    #[test]
    fn names_are_told_apart_also_where_it_is_narrow() {
        let one = |label: &str| Estimate { label: label.into(), value: 0.5, low: 0.4, high: 0.6, text: "y".into() };
        let names =
            ["translate-manual-with-a-long-name@1 correctness (model)", "answer-customer@2 correctness (model)"];
        let (height, out) = intervals(&names.map(one), 340.0);
        assert!(out.contains("translate-manual-with-…e@1 correctness (model)</text>"), "{out}");
        assert!(out.contains("answer-customer@2 correctness (model)</text>"), "{out}");
        assert_eq!(height, 104.0, "two rows of 40, and the axis");
        assert_eq!(shortened("abcdefghij", 6), "ab…hij");
    }

    #[test]
    fn a_period_without_one_before_has_no_line_to_compare_with() {
        let column = |before: Option<&str>| Column {
            label: "Mon 16".into(),
            value: "1".parse().ok(),
            text: "$1.00".into(),
            before: before.and_then(|amount| amount.parse().ok()),
        };
        let drawn = |before| columns(&[column(before)], 720.0).1;
        assert!(!drawn(None).contains("class=\"past\"") && !drawn(None).contains("the one before"));
        assert_eq!(drawn(Some("2")).matches("class=\"past\"").count(), 2, "the mark, and what it means");
    }

    #[test]
    fn a_bridge_goes_from_end_to_end() {
        let step = |value: &str, whole: bool| Step {
            label: "x".into(),
            value: value.parse().expect("it is an amount"),
            text: "y".into(),
            whole,
        };
        let (height, out) = bridge(&[step("10", true), step("-4", false), step("6", true)], 300.0);
        assert_eq!(height, 83.0);
        // The plot is 124 wide for 10: the fall begins at 6 tenths of it and is 4 tenths wide.
        assert!(out.contains("class=\"down\" x=\"166.4\" y=\"31.0\" width=\"49.6\""), "{out}");
        assert!(out.contains("class=\"end\" x=\"92.0\" y=\"58.0\" width=\"74.4\""), "{out}");
    }
}
