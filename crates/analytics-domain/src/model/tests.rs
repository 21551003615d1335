//! Models that fit, models that do not, and what missing features do.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;

const TREES: &str = "tree
version=v4
analytics_catalogue=1
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:2
feature_names=total_requests head_share
feature_infos=[0:10] [0:1]
tree_sizes=1 1

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
split_gain=1 1
threshold=5.5 0.25
decision_type=10 8
left_child=1 -1
right_child=-3 -2
leaf_value=-1 0.5 2
leaf_weight=1 1 1
leaf_count=1 1 1
internal_value=0.25 -0.5
internal_weight=0 0
internal_count=3 2
is_linear=0
shrinkage=1

Tree=1
num_leaves=1
num_cat=0
leaf_value=0.125

end of trees

feature_importances:
total_requests=1
";

fn features(requests: Option<f64>, heads: Option<f64>) -> Vec<Option<f64>> {
    let mut vector = vec![None; Feature::all().len()];
    vector[Feature::index_of("total_requests").unwrap()] = requests;
    vector[Feature::index_of("head_share").unwrap()] = heads;
    vector
}

#[test]
fn trees_are_walked_to_their_leaves_and_missing_features_take_their_side() {
    let model = Model::from_lightgbm(TREES).unwrap();
    let of = |requests, heads| model.score(&features(requests, heads)).to_bits();
    let probability = |sum: f64| (1.0 / (1.0 + libm::exp(-2.0 * sum))).to_bits();
    assert_eq!(of(Some(6.0), None), probability(2.125));
    assert_eq!(of(Some(5.5), Some(0.25)), probability(-0.875));
    assert_eq!(of(Some(5.0), Some(0.3)), probability(0.625));
    assert_eq!(of(None, Some(0.0)), probability(-0.875), "missing goes left at the first node");
    assert_eq!(of(None, None), probability(0.625), "and right at the second");
    assert_eq!(model.score(&[]).to_bits(), probability(0.625), "what is not there is missing");
}

#[test]
fn where_nothing_counts_as_missing_it_is_zero_and_where_zero_does_it_takes_its_side() {
    let nothing = TREES.replace("decision_type=10 8", "decision_type=2 0");
    let nothing = Model::from_lightgbm(&nothing).unwrap();
    let of = |model: &Model, requests, heads| model.score(&features(requests, heads)).to_bits();
    assert_eq!(of(&nothing, None, None), of(&nothing, Some(0.0), Some(0.0)));
    let zero = TREES.replace("decision_type=10 8", "decision_type=4 6");
    let zero = Model::from_lightgbm(&zero).unwrap();
    assert_eq!(of(&zero, Some(0.0), None), of(&zero, Some(9.0), None));
    assert_eq!(of(&zero, Some(1.0), Some(1e-36)), of(&zero, Some(1.0), Some(0.1)));
}

#[test]
fn contributions_are_what_the_splits_on_the_way_changed_the_furthest_first() {
    let model = Model::from_lightgbm(TREES).unwrap();
    let by = |feature, by| Contribution { feature, by };
    let all = model.contributions(&features(Some(5.0), Some(0.3)), 3);
    assert_eq!(all, [by("head_share", 2.0), by("total_requests", -1.5)]);
    assert_eq!(model.contributions(&features(Some(5.0), Some(0.3)), 1), [by("head_share", 2.0)]);
    assert_eq!(model.contributions(&features(Some(6.0), None), 3), [by("total_requests", 3.5)]);
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_the_reason() {
    let of = |from: &str, to: &str| {
        assert!(TREES.contains(from), "{from}");
        Model::from_lightgbm(&TREES.replacen(from, to, 1)).err()
    };
    let damaged = |what: &str| Some(InvalidModel::Damaged(what.into()));
    assert_eq!(Model::from_lightgbm("{}"), Err(InvalidModel::NotLightGbm));
    assert_eq!(of("version=v4", "version=v2"), Some(InvalidModel::FormatVersion("v2".into())));
    assert_eq!(of("analytics_catalogue=1\n", ""), Some(InvalidModel::NoCatalogue));
    assert_eq!(
        of("analytics_catalogue=1", "analytics_catalogue=7"),
        Some(InvalidModel::OtherCatalogue { found: "7".into() })
    );
    assert_eq!(of("head_share", "tail_share"), Some(InvalidModel::UnknownFeature("tail_share".into())));
    assert_eq!(
        of("head_share", "total_requests"),
        Some(InvalidModel::DoubleFeature("total_requests".into()))
    );
    assert_eq!(
        of("num_class=1", "num_class=3"),
        Some(InvalidModel::Unsupported("a model of more than two classes"))
    );
    assert_eq!(of("num_cat=0", "num_cat=1"), Some(InvalidModel::Categorical(0)));
    assert_eq!(of("decision_type=10 8", "decision_type=10 9"), Some(InvalidModel::Categorical(0)));
    assert_eq!(
        of("is_linear=0", "is_linear=1"),
        Some(InvalidModel::Unsupported("a tree with linear leaves"))
    );
    assert_eq!(
        of("objective=binary sigmoid:2", "objective=regression"),
        Some(InvalidModel::Unsupported("a model whose objective is not `binary`"))
    );
    assert_eq!(of("left_child=1 -1", "left_child=0 -1"), damaged("node 0 of tree 0 leads nowhere"));
    assert_eq!(of("right_child=-3 -2", "right_child=-4 -2"), damaged("node 0 of tree 0 leads nowhere"));
    assert_eq!(of("split_feature=0 1", "split_feature=0 2"), damaged("node 1 of tree 0 splits by feature 2"));
    assert_eq!(of("leaf_value=-1 0.5 2", "leaf_value=-1 inf 2"), damaged("tree 0 has a number that is none"));
    assert_eq!(
        of("threshold=5.5 0.25", "threshold=5.5 x"),
        damaged("threshold of tree 0 is not made of numbers")
    );
}

#[test]
fn a_model_cut_off_anywhere_in_its_trees_is_refused() {
    let whole = TREES.find("end of trees").unwrap() + "end of trees".len();
    for cut in 5..whole {
        assert!(Model::from_lightgbm(&TREES[..cut]).is_err(), "cut at {cut}");
    }
    let truncated = |what: &str| Err(InvalidModel::Truncated(what.into()));
    assert_eq!(
        Model::from_lightgbm(&TREES[..TREES.find("end of trees").unwrap()]),
        truncated("end of trees")
    );
    let short = TREES.replace("leaf_value=-1 0.5 2", "leaf_value=-1 0.5");
    assert_eq!(Model::from_lightgbm(&short), truncated("number 3 of leaf_value of tree 0"));
    let few = TREES.replace("tree_sizes=1 1", "tree_sizes=1 1 1");
    assert_eq!(Model::from_lightgbm(&few), truncated("tree 2 of 3"));
}

#[test]
fn a_detector_takes_no_model_of_what_is_known_only_afterwards() {
    assert_eq!(Model::from_lightgbm(TREES).unwrap().fits_detector(), Ok(()));
    let later =
        TREES.replace("feature_names=total_requests head_share", "feature_names=total_requests total_clicks");
    let later = Model::from_lightgbm(&later).unwrap();
    assert_eq!(later.fits_detector(), Err(InvalidModel::KnownAfterwards("total_clicks")));
}

#[test]
fn weights_are_added_to_the_intercept_and_missing_features_add_their_own() {
    let model = Model::try_from(logistic()).unwrap();
    let of = |requests, heads| model.score(&features(requests, heads)).to_bits();
    assert_eq!(of(Some(14.0), Some(0.0)), sigmoid(-1.0 + 2.0 * 0.5).to_bits());
    assert_eq!(of(None, Some(0.5)), sigmoid(-1.0 + 0.25 + 0.5 * 3.0).to_bits());
    let by = model.contributions(&features(Some(6.0), Some(0.5)), 3);
    assert_eq!(
        by.iter().map(|c| (c.feature, c.by)).collect::<Vec<_>>(),
        [("head_share", 1.5), ("total_requests", -1.0)]
    );
}

#[test]
fn weights_of_another_catalogue_of_unknown_features_or_without_scale_are_refused() {
    let with = |change: &dyn Fn(&mut LogisticRecord)| {
        let mut record = logistic();
        change(&mut record);
        Model::try_from(record).err()
    };
    assert_eq!(
        with(&|record| record.catalogue = 2),
        Some(InvalidModel::OtherCatalogue { found: String::from("2") })
    );
    assert_eq!(
        with(&|record| record.features[0].name = "x".into()),
        Some(InvalidModel::UnknownFeature("x".into()))
    );
    let damaged = Some(InvalidModel::Damaged("a number is not finite, or a scale is 0".into()));
    assert_eq!(with(&|record| record.features[1].scale = 0.0), damaged);
    assert_eq!(with(&|record| record.intercept = f64::NAN), damaged);
    let unknown = serde_json::from_str::<LogisticRecord>(r#"{"catalogue":1,"depth":3}"#);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `depth`"));
}

fn logistic() -> LogisticRecord {
    let column = |name: &str, centre, scale, weight, missing| LogisticColumn {
        name: name.into(),
        centre,
        scale,
        weight,
        missing,
    };
    LogisticRecord {
        catalogue: 1,
        zone: ZoneOffset::default(),
        intercept: -1.0,
        features: vec![
            column("total_requests", 10.0, 2.0, 0.5, 0.25),
            column("head_share", 0.0, 1.0, 3.0, 0.0),
        ],
    }
}

#[derive(serde::Deserialize)]
struct Fixture {
    features: Vec<String>,
    rows: Vec<FixtureRow>,
}

#[derive(serde::Deserialize)]
struct FixtureRow {
    features: Vec<Option<f64>>,
    trees: f64,
    logistic: f64,
}

/// `examples/train.py --fixture` wrote the models, the rows and what Python makes of them.
#[test]
fn the_probabilities_are_pythons_on_every_row() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixture/rows.json")).unwrap();
    let trees = Model::from_lightgbm(include_str!("fixture/trees.txt")).unwrap();
    let logistic: LogisticRecord = serde_json::from_str(include_str!("fixture/logistic.json")).unwrap();
    let logistic = Model::try_from(logistic).unwrap();
    let places: Vec<usize> = fixture.features.iter().map(|name| Feature::index_of(name).unwrap()).collect();
    assert!(fixture.rows.len() >= 50);
    for (number, row) in fixture.rows.iter().enumerate() {
        let mut vector = vec![None; Feature::all().len()];
        for (place, feature) in places.iter().zip(&row.features) {
            vector[*place] = *feature;
        }
        let apart = |ours: f64, theirs: f64| (ours - theirs).abs();
        assert!(apart(trees.score(&vector), row.trees) < 1e-6, "trees, row {number}");
        assert!(apart(logistic.score(&vector), row.logistic) < 1e-6, "logistic, row {number}");
    }
}
