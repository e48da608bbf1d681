//! A page of HTML that needs nothing else: no script, no font, no address.

use minijinja::value::Value;
use minijinja::{Environment, context};

use super::svg;
use crate::error::ReportError;
use crate::page::{Item, Page};

/// The ending of the name makes the template escape what it is given.
const NAME: &str = "page.html";
const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Widths that pictures are drawn at; the style shows the one that fits.
const WIDE: u32 = 720;
const NARROW: u32 = 340;

/// Writes the page. What it holds is text in it, and never markup; nothing is loaded from anywhere.
///
/// # Errors
/// When the template does not fit the page, which a test rules out.
pub fn html(page: &Page) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.add_template(NAME, TEMPLATE).map_err(|error| wrong(&error))?;
    let sections: Vec<Value> = page
        .sections
        .iter()
        .map(
            |section| context! { title => &section.title, items => section.items.iter().map(item).collect::<Vec<_>>() },
        )
        .collect();
    let template = environment.get_template(NAME).map_err(|error| wrong(&error))?;
    let style = Value::from_safe_string(STYLE.to_owned());
    template.render(context! { page, style, sections }).map_err(|error| wrong(&error))
}

fn wrong(error: &minijinja::Error) -> ReportError {
    ReportError::Page(format!("{error:#}"))
}

fn item(item: &Item) -> Value {
    match item {
        Item::Tiles(tiles) => context! { tiles },
        Item::Table(table) => {
            // More than fit side by side on a phone.
            let words = table.heads.iter().filter(|head| !head.number).count();
            context! { table, stacked => words > 3 || table.heads.len() > 4 }
        }
        Item::Note(note) => context! { note },
        Item::Chart(chart) => {
            let draw = |width| Value::from_safe_string(svg::draw(chart, width));
            context! { chart, wide => draw(WIDE), narrow => draw(NARROW) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracewell_pricing::Amount;

    use super::*;
    use crate::ask::Query;
    use crate::page::{Cell, Chart, Column, Data, Estimate, Head, Published, Section, Step, Table, Tile};

    const HOSTILE: &str = "</style></title><script>alert(1)</script><img src=x onerror='y'>\"&";

    fn page() -> Page {
        let own = || HOSTILE.to_owned();
        let chart = |data| Item::Chart(Chart { title: own(), description: own(), data, queries: vec![1] });
        let cell = Cell { link: Some("javascript:alert(1)".into()), ..Cell::text(HOSTILE) };
        let tile = Tile { label: own(), text: own(), value: json!(HOSTILE), note: own(), tone: None, queries: vec![1] };
        let table = Table {
            caption: own(),
            heads: vec![Head { text: HOSTILE.into(), number: false }; 5],
            rows: vec![vec![cell; 5]],
            queries: vec![1],
        };
        let least = Amount::from_units(1);
        let column = Column { label: own(), value: Some(Amount::ZERO), text: own(), before: Some(least) };
        let step = Step { label: own(), value: Amount::from_units(i128::MAX), text: own(), whole: true };
        let estimate = Estimate { label: own(), value: 0.5, low: f64::NAN, high: 1.0, text: own() };
        let items = vec![
            Item::Tiles(vec![tile]),
            Item::Table(table),
            Item::Note(own()),
            chart(Data::Columns(vec![column])),
            chart(Data::Bridge(vec![step])),
            chart(Data::Intervals(vec![estimate])),
        ];
        Page {
            report: "cost".into(),
            title: own(),
            period: own(),
            time_zone: own(),
            since: own(),
            until: own(),
            span: own(),
            produced: own(),
            totals: Published::default(),
            notices: vec![own()],
            summary: vec![own()],
            sections: vec![Section { title: HOSTILE.into(), items }],
            queries: vec![Query { number: 1, title: own(), sql: own(), rows: Vec::new() }],
        }
    }

    #[test]
    fn text_is_never_markup_and_nothing_is_loaded() {
        let text = html(&page()).expect("the template fits");
        let lower = text.to_lowercase();
        for markup in ["<script", "<img", "javascript:", "url(", "@import", "http:", "nan", "inf\""] {
            assert!(!lower.contains(markup), "{markup}: {text}");
        }
        assert_eq!((lower.matches("</style>").count(), lower.matches("</title>\n").count()), (1, 1));
        assert_eq!(page().check(), Vec::<String>::new());
    }

    #[test]
    fn a_table_wider_than_a_phone_names_its_values() {
        let text = html(&page()).expect("the template fits");
        assert_eq!(text.matches("<table class=\"stacked\">").count(), 1);
        assert_eq!(text.matches("data-head=\"&lt;").count(), 5, "{text}");
    }

    #[test]
    fn pictures_have_words_for_those_who_do_not_see_them() {
        let text = html(&page()).expect("the template fits");
        let pictures = text.matches("<svg").count();
        assert_eq!(pictures, 6, "three, each in two widths");
        assert_eq!(text.matches("role=\"img\"").count(), pictures);
        assert_eq!(text.matches("<desc").count(), pictures);
    }
}
