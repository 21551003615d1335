//! What features cost: folding a request, extracting a session, scoring it by a model.
//!
//! ```text
//! cargo bench -p analytics-domain --bench features
//! python crates/analytics-domain/benches/score.py data.parquet     # beside LightGBM's own scoring
//! ```
//!
//! With a model and rows as arguments, as the script gives them, it prints what one score of them costs.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use analytics_domain::detector::{AgentFacts, Observation, ReferrerFacts};
use analytics_domain::features::{
    FeatureContext, FeatureExtractionConfig, FeatureFold, FeatureRequest, ZoneOffset, deciding_vector,
    extract,
};
use analytics_domain::ids::SessionId;
use analytics_domain::model::Model;
use analytics_domain::request::{Method, PathHash, RequestKind};
use analytics_domain::user_agent::UserAgent;
use chrono::DateTime;

fn main() {
    // `cargo test --benches` does not pass the word, and then nothing is measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let files: Vec<PathBuf> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    match files.as_slice() {
        [model, rows] => score(model, rows),
        _ => sessions(),
    }
}

/// A person's session: five pages with three assets each.
fn sessions() {
    let paths: Vec<(String, RequestKind)> = (0..20)
        .map(|n| match n % 4 {
            0 => (format!("/guides/page-{n}"), RequestKind::Page),
            _ => (format!("/static/file-{n}.css"), RequestKind::Asset),
        })
        .collect();
    let requests: Vec<FeatureRequest<'_>> = paths
        .iter()
        .map(|(path, kind)| FeatureRequest { seen: request(path, *kind), bytes: Some(4_000) })
        .collect();
    let text = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
    let agent = AgentFacts::of(text, &UserAgent::parse(text));
    let fold = || {
        let mut fold = FeatureFold::new(ZoneOffset::default());
        for (n, request) in requests.iter().enumerate() {
            let n = n as i64;
            fold.observe(request, 1_772_000_000_000_000 + n / 4 * 20_000_000 + n % 4 * 300_000);
        }
        fold
    };
    let folded = fold();
    let (config, context) = (FeatureExtractionConfig::default(), FeatureContext::of_agent(agent));
    let session = SessionId::from_u128(1);
    let extraction =
        |fold: &FeatureFold| extract(&config, session, fold, &context, DateTime::from_timestamp_nanos(0));
    let rows = [
        ("fold of one request", each(2_000, || drop(black_box(fold()))) / requests.len() as f64),
        ("row of a folded session", each(5_000, || drop(black_box(extraction(&folded))))),
        ("session of 20 requests, fold and row", each(2_000, || drop(black_box(extraction(&fold()))))),
        ("vector for a model", each(5_000, || drop(black_box(deciding_vector(&folded, &agent))))),
    ];
    for (what, ns) in rows {
        println!("{what:<40}{ns:>10.0} ns");
    }
}

/// What one score costs. Rows are lines of numbers by the catalogue, empty where one is missing.
fn score(model: &Path, rows: &Path) {
    let model = std::fs::read_to_string(model).expect("the model is read");
    let model = Model::from_lightgbm(&model).expect("the model fits");
    let text = std::fs::read_to_string(rows).expect("the rows are read");
    let rows: Vec<Vec<Option<f64>>> =
        text.lines().map(|line| line.split(',').map(|field| field.parse().ok()).collect()).collect();
    let all = each(10, || {
        for row in &rows {
            black_box(model.score(row));
        }
    });
    println!("score {:.1} ns", all / rows.len() as f64);
}

fn request(path: &str, kind: RequestKind) -> Observation<'_> {
    Observation {
        method: Method::Get,
        kind,
        version: None,
        status: Some(200),
        path,
        page: PathHash::of(path).0,
        directory: PathHash::of("/guides").0,
        number: None,
        probe: None,
        trap: false,
        referrer: ReferrerFacts::Internal { page: PathHash::of("/guides/page-0").0, root: false },
        campaign: None,
        headers: None,
    }
}

/// Nanoseconds of one call: the middle of seven rounds of so many, after one to warm up.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn each(calls: u32, mut call: impl FnMut()) -> f64 {
    let mut rounds = [0.0; 8];
    for round in &mut rounds {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        *round = start.elapsed().as_nanos() as f64 / f64::from(calls);
    }
    let mut measured = rounds[1..].to_vec();
    measured.sort_by(f64::total_cmp);
    measured[measured.len() / 2]
}
