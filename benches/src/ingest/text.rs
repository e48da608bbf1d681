//! The figures as one table.

use std::fmt::Write;

use tracewell_model::schema::DERIVED_TABLES;

use super::report::{Measured, Report};

/// A line of the table: a name, a value a workload, what is asked for.
struct Line {
    name: String,
    values: Vec<String>,
    asked: &'static str,
}

struct Sheet<'r> {
    measured: &'r [Measured],
    lines: Vec<Line>,
}

impl Sheet<'_> {
    fn title(&mut self, name: &str) {
        self.lines.push(Line { name: name.to_uppercase(), values: Vec::new(), asked: "" });
    }

    /// A line of what `value` gives for each workload; none when it gives nothing for any.
    fn line(&mut self, name: &str, asked: &'static str, value: impl Fn(&Measured) -> Option<String>) {
        let values: Vec<_> = self.measured.iter().map(value).collect();
        if values.iter().any(Option::is_some) {
            let values = values.into_iter().map(|value| value.unwrap_or_else(|| "-".into())).collect();
            self.lines.push(Line { name: format!("  {name}"), values, asked });
        }
    }
}

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "Tracewell ingest, {} build, {} cores ({}), {}; first touch of a GiB of memory: {:.2} s{}{}\n\n",
        machine.build,
        machine.cores,
        machine.processor,
        machine.system,
        machine.first_touch_seconds,
        if report.warm { ", kept warm" } else { "" },
        if report.quick { ", quick: not for publication" } else { "" }
    );
    let mut sheet = Sheet { measured: &report.workloads, lines: Vec::new() };
    load(&mut sheet);
    full_load(&mut sheet);
    half_load(&mut sheet);
    storage(&mut sheet);
    stages(&mut sheet);
    let width = sheet.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    write!(out, "{:width$}", "").expect("text takes all");
    for measured in &report.workloads {
        write!(out, "  {:>16}", format!("{:?}", measured.workload).to_lowercase()).expect("text takes all");
    }
    out.push_str("  asked for\n");
    for (at, line) in sheet.lines.iter().enumerate() {
        // A title without a line below it.
        if line.values.is_empty() && sheet.lines.get(at + 1).is_none_or(|next| next.values.is_empty()) {
            continue;
        }
        write!(out, "{:width$}", line.name).expect("text takes all");
        for value in &line.values {
            write!(out, "  {value:>16}").expect("text takes all");
        }
        out.push_str(if line.asked.is_empty() { "" } else { "  " });
        out.push_str(line.asked);
        out.push('\n');
    }
    out
}

fn load(sheet: &mut Sheet<'_>) {
    sheet.title("load");
    sheet.line("requests", "", |m| Some(m.load.requests.to_string()));
    sheet.line("spans", "", |m| Some(m.load.spans.to_string()));
    sheet.line("OTLP MB", "", |m| Some(mega(m.load.bytes)));
    sheet.line("OTLP bytes/span", "", |m| Some((m.load.bytes / m.load.spans).to_string()));
}

fn full_load(sheet: &mut Sheet<'_>) {
    sheet.title("full load, to the commit");
    sheet.line("wall s (sending + drain)", "", |m| {
        m.full.as_ref().map(|c| format!("{:.1} + {:.1}", c.send_seconds, c.wall_seconds - c.send_seconds))
    });
    sheet.line("spans/s", "", |m| m.full.as_ref().map(|c| format!("{:.0}", c.spans as f64 / c.wall_seconds)));
    sheet.line("MB/s", "", |m| m.full.as_ref().map(|c| format!("{:.1}", c.bytes as f64 / 1e6 / c.wall_seconds)));
    sheet.line("server CPU s (in the kernel)", "", |m| {
        m.full.as_ref().map(|c| format!("{:.2} ({:.2})", c.cpu_seconds, c.system_seconds))
    });
    sheet.line("spans per CPU s", "small: 150000, goal 250000", |m| {
        m.full.as_ref().map(|c| format!("{:.0}", c.spans as f64 / c.cpu_seconds))
    });
    sheet.line("MB per CPU s", "agents: 200, goal 300", |m| {
        m.full.as_ref().map(|c| format!("{:.1}", c.bytes as f64 / 1e6 / c.cpu_seconds))
    });
    sheet.line("peak memory MiB", "under 1024", |m| {
        m.full.as_ref().map(|c| format!("{:.0}", c.peak_bytes as f64 / 1048576.0))
    });
    sheet.line("ack p50 ms", "", |m| m.full.as_ref().map(|c| format!("{:.1}", c.acks.p50_ms)));
    sheet.line("ack p99 ms", "", |m| m.full.as_ref().map(|c| format!("{:.1}", c.acks.p99_ms)));
    sheet.line("ack max ms", "", |m| m.full.as_ref().map(|c| format!("{:.1}", c.acks.max_ms)));
    sheet.line("refused for lack of room", "", |m| m.full.as_ref().map(|c| c.acks.refused.to_string()));
    let mut groups: Vec<(String, f64)> = Vec::new();
    for group in sheet.measured.iter().filter_map(|m| m.full.as_ref()).flat_map(|c| &c.groups) {
        match groups.iter_mut().find(|(name, _)| *name == group.threads) {
            Some((_, most)) => *most = most.max(group.cpu_seconds),
            None => groups.push((group.threads.clone(), group.cpu_seconds)),
        }
    }
    groups.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (name, _) in groups.iter().filter(|(_, most)| *most >= 0.05) {
        sheet.line(&format!("CPU of threads: {name}"), "", |m| {
            let cpu = m.full.as_ref()?;
            let group = cpu.groups.iter().find(|group| group.threads == *name)?;
            Some(format!("{:.1} %", 100.0 * group.cpu_seconds / cpu.cpu_seconds))
        });
    }
}

fn half_load(sheet: &mut Sheet<'_>) {
    sheet.title("half load");
    sheet.line("spans/s", "", |m| m.half.as_ref().map(|c| format!("{:.0}", c.spans as f64 / c.send_seconds)));
    sheet.line("ack p50 ms", "", |m| m.half.as_ref().map(|c| format!("{:.1}", c.acks.p50_ms)));
    sheet.line("ack p99 ms", "under 50", |m| m.half.as_ref().map(|c| format!("{:.1}", c.acks.p99_ms)));
    sheet.line("ack max ms", "", |m| m.half.as_ref().map(|c| format!("{:.1}", c.acks.max_ms)));
    sheet.line("peak memory MiB", "", |m| m.half.as_ref().map(|c| format!("{:.0}", c.peak_bytes as f64 / 1048576.0)));
}

fn storage(sheet: &mut Sheet<'_>) {
    sheet.title("stored");
    sheet.line("state", "", |m| {
        m.storage.as_ref().map(|s| if s.compacted.is_some() { "compacted" } else { "as committed" }.to_owned())
    });
    sheet.line("fact bytes / OTLP bytes", "agents: 0.09, small: 0.13", |m| {
        m.storage.as_ref().map(|s| format!("{:.4}", s.last().fact_bytes() as f64 / s.otlp_bytes as f64))
    });
    sheet.line("as committed", "", |m| {
        let storage = m.storage.as_ref()?;
        Some(format!("{:.4}", storage.committed.fact_bytes() as f64 / storage.otlp_bytes as f64))
    });
    sheet.line("fact bytes/span", "", |m| {
        m.storage.as_ref().map(|s| format!("{:.1}", s.last().fact_bytes() as f64 / s.spans as f64))
    });
    let mut tables: Vec<String> = Vec::new();
    for table in sheet
        .measured
        .iter()
        .filter_map(|m| m.storage.as_ref())
        .flat_map(|s| s.last().facts.iter().chain(&s.last().others))
    {
        let derived = DERIVED_TABLES.iter().any(|derived| derived.name == table.table);
        if !tables.contains(&table.table) && (table.rows > 0 || derived) {
            tables.push(table.table.clone());
        }
    }
    for name in tables {
        sheet.line(&format!("{name}: MB, files"), "", |m| {
            let stored = m.storage.as_ref()?.last();
            let table = stored.facts.iter().chain(&stored.others).find(|table| table.table == name)?;
            Some(format!("{}, {}", mega(table.bytes), table.files))
        });
    }
    sheet.line("Delta logs MB", "", |m| m.storage.as_ref().map(|s| mega(s.last().log_bytes())));
    sheet.line("a sample as one file a table, zstd 3", "", |m| {
        let sampled = sample_share(m)?;
        Some(format!("{sampled:.4}"))
    });
}

/// Stored bytes of the sample by its OTLP bytes.
fn sample_share(measured: &Measured) -> Option<f64> {
    let rows = measured.compacted_sample.iter().find(|table| table.table == "spans")?.rows;
    let stored: u64 = measured.compacted_sample.iter().map(|table| table.bytes).sum();
    Some(stored as f64 / (rows as f64 * measured.load.bytes as f64 / measured.load.spans as f64))
}

fn stages(sheet: &mut Sheet<'_>) {
    sheet.title("stages alone: CPU ns/span, MB/s, share");
    let names: Vec<&'static str> =
        sheet.measured.first().map(|m| m.stages.iter().map(|stage| stage.stage).collect()).unwrap_or_default();
    for name in names {
        sheet.line(name, "", |m| {
            let stage = m.stages.iter().find(|stage| stage.stage == name)?;
            let nanos = stage.nanos_per_span;
            let speed = match stage.megabytes_per_second {
                fast if fast > 99_999.0 => "   -".into(),
                speed => format!("{speed:.0}"),
            };
            let share = m
                .full
                .as_ref()
                .map(|c| format!(" {:>5.1} %", 100.0 * nanos * f64::from(stage.passes) / c.nanos_per_span()));
            Some(format!("{nanos:.0} {speed:>5}{}", share.unwrap_or_default()))
        });
    }
    sheet.line("all else: gRPC, network, commits", "", |m| {
        let cpu = m.full.as_ref()?;
        let known: f64 = m.stages.iter().map(|stage| stage.nanos_per_span * f64::from(stage.passes)).sum();
        let rest = cpu.nanos_per_span() - known;
        Some(format!("{rest:.0}       {:>5.1} %", 100.0 * rest / cpu.nanos_per_span()))
    });
    sheet.line("the server", "", |m| m.full.as_ref().map(|c| format!("{:.0}       100.0 %", c.nanos_per_span())));
}

fn mega(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        small if small < 10.0 => format!("{small:.2}"),
        large => format!("{large:.1}"),
    }
}
