//! A published report on its way to a destination.

use tracewell_lake::Location;
use tracewell_report::deliver::{Destination, Message};
use tracewell_report::page::Item;
use tracewell_report::{Page, RowSource, render};
use tracewell_runs::render::markdown;

use super::Desk;
use crate::delivery::put;

impl<A: RowSource> Desk<A> {
    pub(super) async fn send(&self, name: &str, page: &Page, destination: &Destination) -> anyhow::Result<()> {
        match destination {
            Destination::Store { folder, .. } => store(self.lake.location(), folder, name, page).await,
            _ => Ok(destination.send(&self.client, &message(name, page, &self.settings.links)?).await?),
        }
    }
}

/// Files `FOLDER/NAME/PERIOD.html`, `.md` and `.json` beside the tables.
async fn store(location: &Location, folder: &str, name: &str, page: &Page) -> anyhow::Result<()> {
    let files = [
        ("html", render::html(page)?),
        ("md", markdown(&render::blocks(page))),
        ("json", serde_json::to_string_pretty(page)?),
    ];
    for (ending, text) in files {
        put(location, folder, &[name, &format!("{}.{ending}", page.period)], text).await?;
    }
    Ok(())
}

fn message(name: &str, page: &Page, links: &str) -> anyhow::Result<Message> {
    let mut lines: Vec<String> = page.notices.iter().map(|notice| format!("Mind: {notice}")).collect();
    lines.extend(page.summary.iter().cloned());
    let tiles = page.sections.iter().flat_map(|section| &section.items).filter_map(|item| match item {
        Item::Tiles(tiles) => Some(tiles),
        _ => None,
    });
    lines.extend(tiles.flatten().map(|tile| format!("{}: {} ({})", tile.label, tile.text, tile.note)));
    if !links.is_empty() {
        lines.push(format!("{}/v1/reports/{name}/{}", links.trim_end_matches('/'), page.period));
    }
    let file = format!("{name}-{}.html", page.period);
    Ok(Message {
        id: format!("tracewell-{name}-{}", page.period),
        subject: format!("{} {} ({})", page.title, page.period, page.span),
        text: lines.join("\n"),
        files: vec![(file, "text/html; charset=utf-8", render::html(page)?)],
        json: serde_json::json!({"event": "report", "name": name, "period": page.period, "report": page}),
    })
}
