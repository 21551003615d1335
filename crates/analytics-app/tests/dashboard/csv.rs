//! Each table as CSV equals the report that it shows.

use std::sync::Arc;

use analytics_app::services::{ReportRequest, ReportService};
use analytics_domain::stats::{FilterKey, Period, ReportFilter, ReportName};
use analytics_ports::BatchLimit;
use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::world::World;

#[tokio::test]
async fn csv_equals_the_report() {
    let world = World::lively().await;
    for (address, report, list) in [
        ("/sources?format=csv&table=channels", ReportName::Channels, "rows"),
        ("/sources?format=csv&table=sources", ReportName::TrafficSources, "rows"),
        ("/sources?format=csv&table=campaigns", ReportName::Campaigns, "rows"),
        ("/countries?format=csv&table=countries", ReportName::Countries, "rows"),
        ("/devices?format=csv&table=devices", ReportName::Devices, "rows"),
        ("/devices?format=csv&table=browsers", ReportName::Browsers, "rows"),
        ("/devices?format=csv&table=operating-systems", ReportName::OperatingSystems, "rows"),
        ("/pages?format=csv&table=pages", ReportName::ContentStats, "pages"),
        ("/automation?format=csv&table=classes", ReportName::BotTraffic, "classes"),
        ("/automation?format=csv&table=kinds", ReportName::BotTraffic, "kinds"),
        ("/automation?format=csv&table=names", ReportName::BotTraffic, "names"),
        ("/automation?format=csv&table=agent-names", ReportName::AiAgents, "names"),
        ("/errors?format=csv&table=statuses", ReportName::ErrorSummary, "statuses"),
        ("/errors?format=csv&table=paths", ReportName::ErrorSummary, "paths"),
        ("/usage?format=csv&table=models", ReportName::ProviderUsage, "models"),
        ("/usage?format=csv&table=agents", ReportName::TopAgents, "agents"),
        ("/usage?format=csv&table=tools", ReportName::TopTools, "tools"),
        ("/usage?format=csv&table=users", ReportName::TopUsers, "users"),
    ] {
        for filter in ["", "&filter=device:desktop"] {
            if !filter.is_empty() && !report.keys().contains(&FilterKey::Device) {
                continue;
            }
            let answer = world.page(&format!("{address}{filter}")).await;
            let mut lines = answer.lines().map(cells);
            let names = lines.next().unwrap();
            let rows: Vec<Vec<String>> = lines.collect();
            let expected = expected(&world, report, list, !filter.is_empty(), &names).await;
            assert_eq!(rows, expected, "{address}{filter}");
        }
    }
}

/// The rows of a report with the fields of these names, as CSV writes them.
async fn expected(
    world: &World,
    name: ReportName,
    list: &str,
    desktop: bool,
    names: &[String],
) -> Vec<Vec<String>> {
    let service = ReportService::new(Arc::clone(&world.stores.core_stats), Arc::clone(&world.stores.queries));
    let filter = ReportFilter::default();
    let key = FilterKey::Device;
    let filter = if desktop { filter.with(key, "desktop").unwrap() } else { filter };
    let request = ReportRequest {
        name,
        period: Period::ending(world.now, TimeDelta::hours(24)).unwrap(),
        filter,
        compare: false,
        zone: Utc,
        limit: BatchLimit::new(50).unwrap(),
    };
    let report = serde_json::to_value(service.report(&request).await.unwrap()).unwrap();
    let rows = report["data"][list].as_array().unwrap();
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // JSON writes a whole number of a fraction with a nought, CSV without.
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => panic!("no cell: {value}"),
    };
    rows.iter().map(|row| names.iter().map(|name| cell(&row[name.as_str()])).collect()).collect()
}

/// The cells of a line without line breaks in its cells.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}
