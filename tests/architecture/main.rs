//! Rules about the shape of the workspace: who may use whom, where versions stand, where the machine is touched.
//!
//! The table "Who may use whom" of ARCHITECTURE.md is read, not repeated: a new edge changes the table first.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

#[test]
fn every_crate_uses_only_what_its_row_of_the_table_allows() {
    let rows = rows();
    for (name, manifest) in members() {
        let row = &rows[name.as_str()];
        for (used, _) in used_by(&manifest) {
            let allowed = row.anything || row.ours.contains(&used) || row.outside.contains(&used);
            assert!(allowed, "{name} uses {used}, which its row in ARCHITECTURE.md does not allow");
        }
    }
}

#[test]
fn the_table_allows_nothing_that_nobody_uses() {
    let rows = rows();
    for (name, manifest) in members() {
        let used: BTreeSet<String> = used_by(&manifest).into_keys().collect();
        let row = &rows[name.as_str()];
        for allowed in row.ours.iter().chain(&row.outside) {
            assert!(
                used.contains(allowed),
                "ARCHITECTURE.md allows {name} to use {allowed}, and it does not"
            );
        }
    }
}

#[test]
fn every_dependency_is_named_in_the_sources_of_its_crate() {
    for (name, manifest) in members() {
        if name == "analytics-tests" {
            continue;
        }
        let folder = root().join("crates").join(&name);
        let sources: String = rust_files(&folder).iter().map(|file| read(file)).collect();
        for used in used_by(&manifest).keys() {
            let named = used.replace('-', "_");
            assert!(sources.contains(&named), "{name} depends on {used} and never names it");
        }
    }
}

#[test]
fn only_the_workspace_names_versions() {
    for (name, manifest) in members() {
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            let of_workspace = manifest["package"][field].get("workspace").and_then(Value::as_bool);
            assert_eq!(of_workspace, Some(true), "{name}: package.{field}");
        }
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (used, value) in tables(&manifest, kind) {
                assert_eq!(value.get("workspace").and_then(Value::as_bool), Some(true), "{name}: {used}");
                for field in ["version", "path", "git", "registry"] {
                    assert!(value.get(field).is_none(), "{name} names the {field} of {used}");
                }
            }
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_and_none_has_its_own() {
    for (name, manifest) in members() {
        let lints = manifest.get("lints").and_then(Value::as_table).unwrap();
        let expected = Table::from_iter([("workspace".to_owned(), Value::Boolean(true))]);
        assert_eq!(lints, &expected, "{name}");
    }
    let own: Vec<PathBuf> =
        files().into_iter().filter(|file| matches!(name_of(file), "clippy.toml" | ".clippy.toml")).collect();
    assert_eq!(own, [root().join("clippy.toml")], "a clippy.toml of a crate replaces that of the workspace");
}

#[test]
fn the_domain_has_no_std_outside_tests() {
    let folder = root().join("crates/analytics-domain/src");
    assert!(read(&folder.join("lib.rs")).contains("\n#![no_std]\n"));
    for file in rust_files(&folder) {
        for (number, line) in code_of(&file) {
            let std = line.match_indices("std::").any(|(at, _)| {
                !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_')
            });
            assert!(!std, "{}:{number}: {line}", file.display());
        }
    }
}

#[test]
fn adapters_are_named_where_things_are_wired_and_nowhere_else() {
    for krate in ["analytics-domain", "analytics-ports", "analytics-app"] {
        for file in rust_files(&root().join("crates").join(krate).join("src")) {
            if name_of(&file) == "wiring.rs" {
                continue;
            }
            for (number, line) in code_of(&file) {
                for adapter in ["analytics_inmemory", "analytics_postgres", "sqlx::"] {
                    assert!(!line.contains(adapter), "{}:{number}: {line}", file.display());
                }
            }
        }
    }
}

#[test]
fn the_machine_is_touched_in_named_places_only() {
    // Waiting for a growing file is the one thing besides system.rs that needs real time.
    let allowed = ["crates/analytics-app/src/system.rs", "crates/analytics-app/src/ingest/source/tail.rs"];
    for file in rust_files(&root().join("crates")) {
        let place = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let library = place.contains("/src/") && !allowed.contains(&place.as_str());
        for (number, line) in code_of(&file) {
            let lifted = line.contains("clippy::disallowed_methods");
            assert!(!(library && lifted), "{place}:{number} lifts a ban that only {allowed:?} may lift");
        }
    }
}

#[test]
fn nothing_is_left_unfinished_and_nothing_names_the_machine_it_was_made_on() {
    let words = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["#[igno", "re"].concat(),
        ["#[all", "ow("].concat(),
        ["FIX", "ME"].concat(),
        ["/wo", "rk/"].concat(),
        ["/ho", "me/"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    for file in files() {
        let Some("rs" | "md" | "toml" | "sql" | "sh") = file.extension().and_then(|end| end.to_str()) else {
            continue;
        };
        // Paths that attackers ask for are data of the rules and of the simulator.
        let data = file
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("probe_rules.rs" | "probe" | "simulate")));
        for (number, line) in read(&file).lines().enumerate() {
            let told = line.trim_start().starts_with("//");
            for word in words.iter().filter(|word| if word.starts_with('/') { !data } else { !told }) {
                assert!(!line.contains(word.as_str()), "{}:{}: {word}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_crate_has_its_section_and_every_invariant_names_what_holds_it() {
    let text = read(&root().join("ARCHITECTURE.md"));
    for (name, _) in members() {
        assert!(text.contains(&format!("\n## {name}\n")), "ARCHITECTURE.md has no section for {name}");
    }
    let sources: String = rust_files(&root()).iter().map(|file| read(file)).collect();
    let paragraphs: Vec<&str> =
        text.split("\n\n").filter(|paragraph| paragraph.trim_start().starts_with("**Invariant**")).collect();
    assert!(paragraphs.len() >= 8, "ARCHITECTURE.md states the invariants of its crates");
    for paragraph in paragraphs {
        let (_, holders) = paragraph.split_once("Held by").expect("an invariant says what holds it");
        let names = quoted(holders);
        assert!(!names.is_empty(), "{paragraph}");
        for name in names {
            let held = sources.contains(&format!("fn {name}("));
            assert!(held || root().join(&name).exists(), "no test and no file is called {name}");
        }
    }
}

/// What a crate may use.
#[derive(Debug, Default)]
struct Row {
    ours: BTreeSet<String>,
    outside: BTreeSet<String>,
    anything: bool,
}

/// The rows of the table in ARCHITECTURE.md by crate.
fn rows() -> BTreeMap<String, Row> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let (_, section) =
        text.split_once("\n## Who may use whom\n").expect("ARCHITECTURE.md says who may use whom");
    section
        .lines()
        .filter(|line| line.starts_with("| `analytics-"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            let name = quoted(cells[0]).remove(0);
            let row = Row {
                ours: quoted(cells[1]).into_iter().collect(),
                outside: quoted(cells[2]).into_iter().collect(),
                anything: cells[2].contains("anything"),
            };
            (name, row)
        })
        .collect()
}

/// The manifests of all members by the name of the crate.
fn members() -> BTreeMap<String, Table> {
    let workspace: Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| {
            let manifest: Table =
                read(&root().join(member.as_str().unwrap()).join("Cargo.toml")).parse().unwrap();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
        })
        .collect()
}

/// What a crate is built with, tests aside: its own and its targets' dependencies, and those of its build.
fn used_by(manifest: &Table) -> BTreeMap<String, Value> {
    let mut used = tables(manifest, "dependencies");
    used.extend(tables(manifest, "build-dependencies"));
    used
}

/// The entries of all tables of one kind, of the crate and of its targets.
fn tables(manifest: &Table, kind: &str) -> BTreeMap<String, Value> {
    let of_targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = of_targets.filter_map(|target| target.get(kind)).chain(manifest.get(kind));
    tables
        .filter_map(Value::as_table)
        .flatten()
        .map(|(name, value)| {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
            (package.to_owned(), value.clone())
        })
        .collect()
}

/// Lines of a source with their numbers: without comments, and without what is there for tests only.
fn code_of(file: &Path) -> Vec<(usize, String)> {
    let name = name_of(file).strip_suffix(".rs").unwrap();
    let around = ["mod.rs", "lib.rs"].map(|parent| file.with_file_name(parent));
    let for_tests = format!("#[cfg(test)]\nmod {name};");
    let declared =
        around.iter().filter(|parent| parent.exists()).any(|parent| read(parent).contains(&for_tests));
    if declared || name == "tests" || file.components().any(|part| part.as_os_str() == "tests") {
        return Vec::new();
    }
    let text = read(file);
    let tests =
        ["\n#[cfg(test)]\nmod tests {", "\n#[cfg(all(test"].iter().filter_map(|start| text.find(start)).min();
    text[..tests.unwrap_or(text.len())]
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line.to_owned()))
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let all = if folder == root() { files() } else { walk(folder) };
    all.into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")).collect()
}

/// Every file of the repository but what is built or belongs to git.
fn files() -> Vec<PathBuf> {
    walk(&root())
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !matches!(name_of(&path), "target" | ".git" | "corpus" | "artifacts") {
                    folders.push(path);
                }
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
