//! Charts as SVG, made on the server; each twice, since the letters of a wide one cannot be read on a phone.

use maud::{Markup, html};

use crate::replay::text::grouped;

/// Columns of several series, one upon the other.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    /// What it shows, in a sentence.
    pub(super) title: &'a str,
    /// The series, the lowest first.
    pub(super) series: &'a [Series],
    /// What stands under each column.
    pub(super) labels: &'a [String],
    /// Each column's time in full.
    pub(super) spans: &'a [String],
}

/// One series of a chart.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    /// The class that gives it its colour.
    pub(super) class: &'static str,
    /// As many as there are columns.
    pub(super) values: Vec<u64>,
}

/// A line with the band of what was expected behind it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// What it shows, in a sentence.
    pub(super) title: &'a str,
    pub(super) points: &'a [Point],
    /// What stands under each point.
    pub(super) labels: &'a [String],
}

/// One point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) value: f64,
    /// The least and the greatest value that was expected.
    pub(super) expected: Option<(f64, f64)>,
    /// Whether an anomaly was open.
    pub(super) open: bool,
}

/// Where a chart stands and how large it is.
#[derive(Debug, Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
    class: &'static str,
    /// Labels under the chart, at most.
    labels: usize,
}

impl Columns<'_> {
    /// The chart with its legend.
    pub(super) fn html(&self) -> Markup {
        html! {
            figure.chart {
                (legend(self.series))
                @for frame in [WIDE, NARROW] { (self.svg(frame)) }
            }
        }
    }

    fn svg(&self, frame: Frame) -> Markup {
        let count = self.labels.len().max(1);
        let sums: Vec<u64> = (0..count)
            .map(|at| self.series.iter().filter_map(|series| series.values.get(at)).sum())
            .collect();
        let scale = Scale::of(sums.iter().copied().max().unwrap_or(0) as f64);
        let step = frame.inner() / count as f64;
        let thick = (step * 0.78).clamp(1.0, 40.0);
        html! {
            svg class=(frame.class) viewBox=(frame.view_box()) role="img" aria-label=(self.title) {
                (frame.axis(&scale))
                @for (at, span) in self.spans.iter().enumerate() {
                    @let x = LEFT + step * at as f64 + (step - thick) / 2.0;
                    g.column {
                        title { (self.told(span, at)) }
                        rect.hover x=(px(LEFT + step * at as f64)) y=(px(TOP)) width=(px(step)) height=(px(frame.inner_height())) {}
                        @for (class, from, to) in self.stack(at) {
                            @let (low, high) = (frame.y(&scale, from as f64), frame.y(&scale, to as f64));
                            rect class=(class) x=(px(x)) y=(px(high)) width=(px(thick)) height=(px(low - high)) {}
                        }
                    }
                }
                (frame.labels(self.labels, step, step / 2.0))
            }
        }
    }

    /// What a column says.
    fn told(&self, span: &str, at: usize) -> String {
        let parts: Vec<String> = self
            .series
            .iter()
            .map(|series| format!("{} {}", series.name, grouped(series.values.get(at).copied().unwrap_or(0))))
            .collect();
        format!("{span}: {}", parts.join(", "))
    }

    /// The pieces of a column: class, from where, to where.
    fn stack(&self, at: usize) -> Vec<(&'static str, u64, u64)> {
        let mut from = 0;
        let mut pieces = Vec::new();
        for series in self.series {
            let value = series.values.get(at).copied().unwrap_or(0);
            if value > 0 {
                pieces.push((series.class, from, from + value));
            }
            from += value;
        }
        pieces
    }
}

impl Line<'_> {
    /// The chart with its legend.
    pub(super) fn html(&self) -> Markup {
        html! {
            figure.chart {
                figcaption.legend {
                    span { span.key.line {} "value" }
                    span { span.key.band {} "expected" }
                    span { span.key.mark {} "anomaly" }
                }
                @for frame in [WIDE, NARROW] { (self.svg(frame)) }
            }
        }
    }

    fn svg(&self, frame: Frame) -> Markup {
        let most =
            self.points.iter().map(|point| point.expected.map_or(0.0, |(_, high)| high).max(point.value));
        let scale = Scale::of(most.fold(0.0, f64::max));
        let step = frame.inner() / self.points.len().saturating_sub(1).max(1) as f64;
        let place = |at: usize, value: f64| (LEFT + step * at as f64, frame.y(&scale, value.max(0.0)));
        let known: Vec<(usize, (f64, f64))> =
            self.points.iter().enumerate().filter_map(|(at, point)| Some((at, point.expected?))).collect();
        let upper = known.iter().map(|&(at, (_, high))| place(at, high));
        let lower = known.iter().rev().map(|&(at, (low, _))| place(at, low));
        let band = points(upper.chain(lower));
        let line = points(self.points.iter().enumerate().map(|(at, point)| place(at, point.value)));
        html! {
            svg class=(frame.class) viewBox=(frame.view_box()) role="img" aria-label=(self.title) {
                (frame.axis(&scale))
                polygon.band points=(band) {}
                polyline.line points=(line) {}
                @for (at, point) in self.points.iter().enumerate().filter(|(_, point)| point.open) {
                    @let (x, y) = place(at, point.value);
                    circle.mark cx=(px(x)) cy=(px(y)) r="4" {}
                }
                (frame.labels(self.labels, step, 0.0))
            }
        }
    }
}

impl Frame {
    fn view_box(self) -> String {
        format!("0 0 {} {}", self.width, self.height)
    }

    fn inner(self) -> f64 {
        self.width - LEFT - RIGHT
    }

    fn inner_height(self) -> f64 {
        self.height - TOP - BOTTOM
    }

    fn y(self, scale: &Scale, value: f64) -> f64 {
        TOP + self.inner_height() * (1.0 - value / scale.top)
    }

    fn axis(self, scale: &Scale) -> Markup {
        html! {
            g.axis {
                @for line in scale.lines() {
                    @let y = self.y(scale, line);
                    line x1=(px(LEFT)) x2=(px(self.width - RIGHT)) y1=(px(y)) y2=(px(y)) {}
                    text.end x=(px(LEFT - 6.0)) y=(px(y + 4.0)) { (short(line)) }
                }
            }
        }
    }

    /// As many of the labels as there is room for, each under its column.
    fn labels(self, labels: &[String], step: f64, shift: f64) -> Markup {
        let every = labels.len().div_ceil(self.labels).max(1);
        html! {
            g.axis {
                @for (at, label) in labels.iter().enumerate().step_by(every) {
                    text.middle x=(px(LEFT + step * at as f64 + shift)) y=(px(self.height - 6.0)) { (label) }
                }
            }
        }
    }
}

/// The height of a chart in figures.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    top: f64,
    step: f64,
}

impl Scale {
    /// A scale of round figures that holds this value.
    fn of(most: f64) -> Self {
        if most <= 0.0 {
            return Self { top: 1.0, step: 1.0 };
        }
        let rough = most / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|unit| unit * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        // What is counted has no parts; what is measured may.
        let step = if most >= 4.0 { step.max(1.0) } else { step };
        Self { top: (most / step).ceil() * step, step }
    }

    fn lines(&self) -> impl Iterator<Item = f64> {
        let count = (self.top / self.step).round() as u32;
        let step = self.step;
        (0..=count).map(move |line| f64::from(line) * step)
    }
}

/// What the colours of the series mean.
fn legend(series: &[Series]) -> Markup {
    html! {
        figcaption.legend {
            @for series in series { span { span class={ "key " (series.class) } {} (series.name) } }
        }
    }
}

/// A figure of an axis in few letters.
fn short(figure: f64) -> String {
    let (figure, unit) = if figure >= 1e6 {
        (figure / 1e6, "M")
    } else if figure >= 1e4 {
        (figure / 1e3, "k")
    } else {
        (figure, "")
    };
    let text = format!("{figure:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

fn points(places: impl Iterator<Item = (f64, f64)>) -> String {
    places.map(|(x, y)| format!("{},{}", px(x), px(y))).collect::<Vec<_>>().join(" ")
}

/// A length in tenths of a pixel.
fn px(length: f64) -> String {
    format!("{length:.1}")
}

const WIDE: Frame = Frame { width: 960.0, height: 240.0, class: "wide", labels: 12 };
const NARROW: Frame = Frame { width: 380.0, height: 220.0, class: "narrow", labels: 4 };
const LEFT: f64 = 46.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_round_figures_and_holds_the_greatest_value() {
        let scale = |most| {
            let scale = Scale::of(most);
            (scale.top, scale.lines().map(short).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(scale(0.0), (1.0, "0 1".into()));
        assert_eq!(scale(7.0), (8.0, "0 2 4 6 8".into()));
        assert_eq!(scale(106.0), (150.0, "0 50 100 150".into()));
        assert_eq!(scale(48_000.0), (60_000.0, "0 20k 40k 60k".into()));
        assert_eq!(scale(0.2), (0.2, "0 0.05 0.1 0.15 0.2".into()));
    }

    #[test]
    fn every_column_is_told_in_words_and_in_pieces_that_add_up() {
        let series = [
            Series { name: "People", class: "people", values: vec![3, 0] },
            Series { name: "Bots", class: "bots", values: vec![1_500, 0] },
        ];
        let labels = ["00:00".to_owned(), "01:00".to_owned()];
        let chart = Columns { title: "Sessions", series: &series, labels: &labels, spans: &labels };
        assert_eq!(chart.stack(0), [("people", 0, 3), ("bots", 3, 1_503)]);
        assert_eq!(chart.stack(1), []);
        let html = chart.html().into_string();
        assert!(html.contains("<title>00:00: People 3, Bots 1,500</title>"), "{html}");
        assert!(html.contains("role=\"img\" aria-label=\"Sessions\""), "{html}");
    }
}
