//! Trees as LightGBM writes them.
//!
//! The text is lines of `key=value`: a head, one block a tree, `end of trees`. A tree has inner nodes, numbered from its
//! root 0, and leaves; a child of an inner node is one of a greater number, or `−1 − leaf`. What a node does with a number
//! is in `Tree::NumericalDecision` of LightGBM's `tree.h`, which [`Node::next`] follows.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::str::FromStr;

use super::{InvalidModel, Kind, Model, places, same_catalogue};
use crate::features::{CatalogueVersion, ZoneOffset};

/// All trees, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trees {
    /// Where each tree begins: an inner node, or `!leaf` for a tree of one leaf.
    roots: Vec<i32>,
    nodes: Vec<Node>,
    /// What stands at each inner node: the mean of what is below it, as LightGBM wrote it.
    inner: Vec<f64>,
    leaves: Vec<f64>,
    /// What the sum over the trees is multiplied with to become the logarithm of the odds.
    factor: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    threshold: f64,
    /// To the right and to the left: an inner node, or `!leaf`.
    below: [i32; 2],
    feature: u16,
    missing: Missing,
    missing_left: bool,
}

/// What counts as missing at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Nothing: NaN is 0.
    Nothing,
    /// Zero and NaN.
    Zero,
    /// NaN.
    Nan,
}

/// The model in a text.
pub(super) fn read(text: &str) -> Result<Model, InvalidModel> {
    let mut lines = text.lines().map(str::trim);
    if lines.next() != Some("tree") {
        return Err(InvalidModel::NotLightGbm);
    }
    let (mut head, mut blocks, mut ended) = (Fields::default(), Vec::new(), false);
    for line in lines {
        if line == "end of trees" {
            ended = true;
            break;
        }
        let Some((key, value)) = line.split_once('=') else {
            head.flags.push(line);
            continue;
        };
        if key == "Tree" {
            blocks.push(Fields::default());
        }
        blocks.last_mut().unwrap_or(&mut head).values.insert(key, value);
    }
    let version = head.get("version")?;
    if !matches!(version, "v3" | "v4") {
        return Err(InvalidModel::FormatVersion(version.into()));
    }
    let said = head.get("analytics_catalogue").map_err(|_| InvalidModel::NoCatalogue)?;
    let number = said.parse::<u32>().map_err(|_| InvalidModel::OtherCatalogue { found: said.into() })?;
    same_catalogue(CatalogueVersion::new(number), said)?;
    let zone = match head.values.get("analytics_zone") {
        None => ZoneOffset::default(),
        Some(minutes) => minutes
            .parse()
            .ok()
            .and_then(|minutes| ZoneOffset::new(minutes).ok())
            .ok_or_else(|| InvalidModel::Damaged(format!("analytics_zone={minutes} is no zone")))?,
    };
    if head.get("num_class")? != "1" || head.get("num_tree_per_iteration")? != "1" {
        return Err(InvalidModel::Unsupported("a model of more than two classes"));
    }
    let columns = places(head.get("feature_names")?.split_whitespace())?;
    let wanted = head.get("tree_sizes")?.split_whitespace().count();
    if !ended || blocks.len() < wanted {
        let missing =
            if ended { format!("tree {} of {wanted}", blocks.len()) } else { "end of trees".into() };
        return Err(InvalidModel::Truncated(missing));
    }
    if blocks.len() > MOST_TREES {
        return Err(InvalidModel::Unsupported("a model of more than 10,000 trees"));
    }
    let mut trees = Trees {
        roots: Vec::new(),
        nodes: Vec::new(),
        inner: Vec::new(),
        leaves: Vec::new(),
        factor: sigmoid_of(head.get("objective")?)?,
    };
    if head.flags.contains(&"average_output") {
        trees.factor /= blocks.len().max(1) as f64;
    }
    for (number, block) in blocks.iter().enumerate() {
        trees.push(number, block, columns.len())?;
    }
    Ok(Model { columns, zone, kind: Kind::Trees(trees) })
}

/// Lines of `key=value`, and lines that are a word alone.
#[derive(Default)]
struct Fields<'a> {
    values: BTreeMap<&'a str, &'a str>,
    flags: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    fn get(&self, key: &str) -> Result<&'a str, InvalidModel> {
        self.values.get(key).copied().ok_or_else(|| InvalidModel::Truncated(key.into()))
    }

    /// So many numbers, of a tree.
    fn numbers<T: FromStr>(&self, tree: usize, key: &str, count: usize) -> Result<Vec<T>, InvalidModel> {
        let text = if count == 0 { "" } else { self.get(key)? };
        let numbers: Result<Vec<T>, _> = text.split_whitespace().map(str::parse).collect();
        match numbers {
            Ok(numbers) if numbers.len() == count => Ok(numbers),
            Ok(numbers) if numbers.len() < count => {
                Err(InvalidModel::Truncated(format!("number {} of {key} of tree {tree}", numbers.len() + 1)))
            }
            Ok(_) => Err(InvalidModel::Damaged(format!("tree {tree} has too many numbers in {key}"))),
            Err(_) => Err(InvalidModel::Damaged(format!("{key} of tree {tree} is not made of numbers"))),
        }
    }
}

/// The factor of the sigmoid of an objective such as `binary sigmoid:1`.
fn sigmoid_of(objective: &str) -> Result<f64, InvalidModel> {
    let mut words = objective.split_whitespace();
    if words.next() != Some("binary") {
        return Err(InvalidModel::Unsupported("a model whose objective is not `binary`"));
    }
    let factor = words.find_map(|word| word.strip_prefix("sigmoid:")).unwrap_or("1");
    match factor.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err(InvalidModel::Damaged(format!("its sigmoid is {factor}"))),
    }
}

impl Trees {
    fn push(&mut self, tree: usize, block: &Fields<'_>, features: usize) -> Result<(), InvalidModel> {
        if block.values.get("num_cat").is_some_and(|&count| count != "0") {
            return Err(InvalidModel::Categorical(tree));
        }
        if block.values.get("is_linear").is_some_and(|&linear| linear != "0") {
            return Err(InvalidModel::Unsupported("a tree with linear leaves"));
        }
        let leaves = block.get("num_leaves")?;
        let leaves: usize = leaves
            .parse()
            .ok()
            .filter(|leaves| (1..=MOST_LEAVES).contains(leaves))
            .ok_or_else(|| InvalidModel::Damaged(format!("tree {tree} has {leaves} leaves")))?;
        let inner = leaves - 1;
        let (first_node, first_leaf) = (self.nodes.len() as i32, self.leaves.len() as i32);
        let split: Vec<usize> = block.numbers(tree, "split_feature", inner)?;
        let thresholds: Vec<f64> = block.numbers(tree, "threshold", inner)?;
        let decisions: Vec<u8> = block.numbers(tree, "decision_type", inner)?;
        let left: Vec<i32> = block.numbers(tree, "left_child", inner)?;
        let right: Vec<i32> = block.numbers(tree, "right_child", inner)?;
        let values: Vec<f64> = block.numbers(tree, "leaf_value", leaves)?;
        let means: Vec<f64> = block.numbers(tree, "internal_value", inner)?;
        if thresholds.iter().any(|number| number.is_nan())
            || !values.iter().chain(&means).copied().all(f64::is_finite)
        {
            return Err(InvalidModel::Damaged(format!("tree {tree} has a number that is none")));
        }
        let child = |node: usize, child: i32| {
            // A child comes after its parent, so that every way ends at a leaf.
            let inside = if child >= 0 {
                child as usize > node && (child as usize) < inner
            } else {
                (!child as usize) < leaves
            };
            if !inside {
                return Err(InvalidModel::Damaged(format!("node {node} of tree {tree} leads nowhere")));
            }
            Ok(if child >= 0 { first_node + child } else { !(first_leaf + !child) })
        };
        for node in 0..inner {
            if split[node] >= features {
                let problem = format!("node {node} of tree {tree} splits by feature {}", split[node]);
                return Err(InvalidModel::Damaged(problem));
            }
            if decisions[node] & 1 != 0 {
                return Err(InvalidModel::Categorical(tree));
            }
            self.nodes.push(Node {
                threshold: thresholds[node],
                below: [child(node, right[node])?, child(node, left[node])?],
                feature: split[node] as u16,
                missing: match decisions[node] >> 2 & 3 {
                    0 => Missing::Nothing,
                    1 => Missing::Zero,
                    _ => Missing::Nan,
                },
                missing_left: decisions[node] & 2 != 0,
            });
        }
        self.roots.push(if inner > 0 { first_node } else { !first_leaf });
        self.leaves.extend(values);
        self.inner.extend(means);
        Ok(())
    }

    pub(super) fn log_odds(&self, row: &[f64]) -> f64 {
        let mut sum = 0.0;
        // Several trees step together: what one waits for, the others do not need.
        for roots in self.roots.chunks(TOGETHER) {
            let mut places = [!0; TOGETHER];
            places[..roots.len()].copy_from_slice(roots);
            while places.iter().any(|&at| at >= 0) {
                for at in &mut places {
                    let next = self.nodes[(*at).max(0) as usize].next(row);
                    *at = if *at < 0 { *at } else { next };
                }
            }
            for &at in &places[..roots.len()] {
                sum += self.leaves[!at as usize];
            }
        }
        sum * self.factor
    }

    pub(super) fn contributions(&self, row: &[f64], by: &mut [f64]) {
        for &root in &self.roots {
            let mut at = root;
            while at >= 0 {
                let node = &self.nodes[at as usize];
                let before = self.value(at);
                at = node.next(row);
                by[usize::from(node.feature)] += (self.value(at) - before) * self.factor;
            }
        }
    }

    fn value(&self, at: i32) -> f64 {
        if at >= 0 { self.inner[at as usize] } else { self.leaves[!at as usize] }
    }
}

impl Node {
    /// The inner node or `!leaf` below. Which way a session goes cannot be foretold, so the places are chosen, not branched
    /// to.
    fn next(&self, row: &[f64]) -> i32 {
        let number = row[usize::from(self.feature)];
        let value = if number.is_nan() { 0.0 } else { number };
        let missing = (self.missing == Missing::Nan) & number.is_nan()
            | (self.missing == Missing::Zero) & (value.abs() <= ZERO);
        let left = if missing { self.missing_left } else { value <= self.threshold };
        self.below[usize::from(left)]
    }
}

/// `kZeroThreshold` of LightGBM, a number of 32 bits there.
const ZERO: f64 = 1e-35_f32 as f64;
/// Trees that step together.
const TOGETHER: usize = 8;
const MOST_TREES: usize = 10_000;
const MOST_LEAVES: usize = 65_536;
