//! What all pages have around them: landmarks, navigation, the controls of period and filters.

use analytics_domain::stats::FilterKey;
use analytics_domain::throttle::Mode;
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

use super::page::{Block, Body, PageName};
use super::problem::Problem;
use super::view::{Preset, Span, View};

/// What a page is shown in.
pub(super) struct Shell<'a> {
    /// The page that the navigation marks.
    pub(super) page: PageName,
    /// The address of what is shown, without parameters.
    pub(super) path: &'a str,
    pub(super) view: &'a View,
    pub(super) mode: Mode,
    pub(super) now: DateTime<Utc>,
    /// What was just done, in words.
    pub(super) done: Option<&'static str>,
}

impl Shell<'_> {
    /// The whole page.
    pub(super) fn html(&self, body: &Body) -> Markup {
        let inside = html! {
            div.head {
                h1 { (body.title) }
                @if let Some(lead) = &body.lead { p.lead { (lead) } }
            }
            @if let Some(done) = self.done { p.done role="status" { (done) } }
            @if body.timed { (self.controls()) }
            @for block in &body.blocks { (self.block(block)) }
            p.stamp {
                "As of " (super::table::time(self.view, self.now)) ". All times are in " (self.view.zone) "."
            }
        };
        let live = body.live && matches!(self.view.span, Span::Last(_));
        document(&body.title, &self.nav(), self.mode, live, &inside)
    }

    fn block(&self, block: &Block) -> Markup {
        html! {
            @match block {
                Block::Heading(text) => h2 { (text) },
                Block::Table(table) => (table.html(self.view, self.path)),
                Block::Folded(summary, table) => details { summary { (summary) } (table.html(self.view, self.path)) },
                Block::Row(blocks) => div.row { @for block in blocks { div { (self.block(block)) } } },
                Block::Markup(markup) => (markup),
            }
        }
    }

    fn nav(&self) -> Markup {
        html! {
            @for (name, pages) in PageName::GROUPS {
                p.group { (name) }
                ul {
                    @for page in pages {
                        li {
                            a href=(self.view.link(page.path(), page.keys()))
                                aria-current=[(*page == self.page).then_some("page")] { (page.title()) }
                        }
                    }
                }
            }
        }
    }

    /// Period, comparison, zone and filters.
    fn controls(&self) -> Markup {
        let view = self.view;
        let same = view.same(self.path);
        html! {
            section.controls aria-label="Period and filters" {
                ul.presets aria-label="Period" {
                    @for preset in Preset::ALL {
                        li {
                            a href=(same.clone().without("from").without("to").with("last", preset.as_str()))
                                aria-current=[(view.span == Span::Last(preset)).then_some("true")]
                                aria-label=(preset.in_words()) { (preset.as_str()) }
                        }
                    }
                }
                p.period {
                    (super::table::time(view, view.period.from())) " to " (super::table::time(view, view.period.until()))
                    " " span.muted { (view.zone) }
                }
                @for (key, value) in view.filter.parts() {
                    a.chip href=(same.clone().unfiltered(key)) aria-label={ "Remove the filter " (key) " " (value) } {
                        span.muted { (key) } " " (super::page::shown(key, value)) span.cross aria-hidden="true" { "×" }
                    }
                }
                details.more {
                    summary { "Change" }
                    div.panes {
                        (self.period_form())
                        @if !self.page.keys().is_empty() { (self.filter_form()) }
                    }
                }
            }
        }
    }

    fn period_form(&self) -> Markup {
        let view = self.view;
        let clock = |at: DateTime<Utc>| view.zone.local(at).format("%Y-%m-%dT%H:%M").to_string();
        let kept = ["from", "to", "last", "compare", "zone"];
        html! {
            form method="get" action=(self.path) {
                (hidden(view.same(self.path).parameters(), &kept))
                label { "From" input type="datetime-local" name="from" value=(clock(view.period.from())); }
                label { "To" input type="datetime-local" name="to" value=(clock(view.period.until())); }
                label { "Zone" input type="text" name="zone" value=(view.zone) size="18" autocomplete="off"; }
                label { "Compare with"
                    select name="compare" {
                        option value="" selected[view.compare.is_none()] { "as the page does" }
                        option value="before" selected[view.compare == Some(true)] { "the period before" }
                        option value="none" selected[view.compare == Some(false)] { "nothing" }
                    }
                }
                button type="submit" { "Show" }
            }
        }
    }

    fn filter_form(&self) -> Markup {
        html! {
            form method="get" action=(self.path) {
                (hidden(self.view.same(self.path).parameters(), &[]))
                label { "Only where"
                    select name="key" {
                        @for key in self.page.keys() { option value=(key) { (key) } }
                    }
                }
                label { "is" input type="text" name="value" required size="18" autocomplete="off"; }
                button type="submit" { "Filter" }
            }
        }
    }
}

/// The page that says why there is no page.
pub(super) fn problem(problem: &Problem, mode: Mode) -> Markup {
    let nav = html! {
        @for (name, pages) in PageName::GROUPS {
            p.group { (name) }
            ul { @for page in pages { li { a href=(page.path()) { (page.title()) } } } }
        }
    };
    let inside = html! {
        div.head { h1 { (problem.title()) } }
        p.problem role="alert" { (problem) }
        p { (problem.advice()) }
        p { a href="/" { "Overview" } }
    };
    document(problem.title(), &nav, mode, false, &inside)
}

/// A page without navigation, for those who may not look yet.
pub(super) fn bare(title: &str, inside: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.bare {
                header { span.brand { "Analytics" } }
                main id="main" { (inside) }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " – Analytics" }
            link rel="icon" href=(ICON);
            link rel="stylesheet" href=(super::assets::STYLE.path);
            script src=(super::assets::SCRIPT.path) defer {}
        }
    }
}

fn document(title: &str, nav: &Markup, mode: Mode, live: bool, inside: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a.brand href="/" { "Analytics" }
                    span.mode { (mode_told(mode)) }
                    // The script shows it, since without the script nothing is live.
                    button.live type="button" id="live" aria-pressed="true" hidden { "Live" }
                }
                nav aria-label="Pages" { (nav) }
                main id="main" tabindex="-1" data-live=[live.then_some("15")] { (inside) }
                p.hidden id="told" role="status" {}
            }
        }
    }
}

const fn mode_told(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "limits are off",
        Mode::Shadow => "shadow: nothing is refused",
        Mode::Enforce => "enforcing",
    }
}

fn hidden(parameters: &[(String, String)], but: &[&str]) -> Markup {
    html! {
        @for (name, value) in parameters.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
            input type="hidden" name=(name) value=(value);
        }
    }
}

/// A key that a filter takes, so that layouts and pages agree on it.
pub(super) const NO_KEYS: &[FilterKey] = &[];

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg \
fill='%232f6db5'%3E%3Crect x='1' y='8' width='3.5' height='7'/%3E%3Crect x='6.2' y='4' width='3.5' height='11'/%3E\
%3Crect x='11.4' y='1' width='3.5' height='14'/%3E%3C/g%3E%3C/svg%3E";
