//! The catalogue itself: every feature once, with everything that is to be said of it.
//!
//! To add one, write its row here and change the version in `catalogue.rs`; the vector, the schema of exports and the
//! check of `docs/features.md` follow.

use super::catalogue::{Feature, FeatureGroup, FeatureKind, Known, Unit};
use super::extract::FeatureSubject;
use crate::detector::profile::GapStats;
use crate::request::RequestKind;

macro_rules! features {
    ($(
        $name:ident: $group:ident, $unit:ident, $kind:ident, $least:literal to $most:expr, $known:ident;
        $meaning:literal; missing $undefined:literal; $compute:expr;
    )+) => {
        pub(super) const FEATURES: &[Feature] = &[$(Feature {
            name: stringify!($name),
            group: FeatureGroup::$group,
            unit: Unit::$unit,
            kind: FeatureKind::$kind,
            least: $least,
            most: $most,
            known: Known::$known,
            undefined: $undefined,
            meaning: $meaning,
            compute: $compute,
        },)+];
    };
}

const NO_END: f64 = f64::INFINITY;
/// Whole numbers up to here are exact: sums end here.
const EXACT: f64 = (1_u64 << 53) as f64;
const PIXELS: f64 = i32::MAX as f64;

features! {
    session_duration_seconds: Session, Seconds, Real, 0.0 to NO_END, Deciding;
    "Time from the first to the newest request."; missing "without a request";
    |s| (s.requests() > 0).then(|| s.profile.session.span_us() as f64 / 1e6);

    total_requests: Session, Count, Whole, 0.0 to NO_END, Deciding;
    "Requests of any kind."; missing "without a request";
    |s| (s.requests() > 0).then(|| f64::from(s.requests()));

    page_views: Session, Count, Whole, 0.0 to NO_END, Deciding;
    "Page views."; missing "without a request";
    |s| (s.requests() > 0).then(|| s.views());

    unique_pages_visited: Session, Count, Whole, 0.0 to NO_END, Deciding;
    "Distinct pages; an estimate above 64."; missing "without a request";
    |s| (s.requests() > 0).then(|| f64::from(s.profile.session.pages.count()));

    requests_per_minute: Session, PerMinute, Real, 0.0 to NO_END, Deciding;
    "Requests over the duration, which counts as a second at least."; missing "with fewer than two requests";
    |s| (s.requests() > 1).then(|| f64::from(s.requests()) * 60.0 / s.seconds());

    pages_per_minute: Session, PerMinute, Real, 0.0 to NO_END, Deciding;
    "Page views over the duration, which counts as a second at least."; missing "with fewer than two page views";
    |s| (s.views() > 1.0).then(|| s.views() * 60.0 / s.seconds());

    get_share: Session, Share, Real, 0.0 to 1.0, Deciding;
    "Requests by GET."; missing "without a request";
    |s| s.share(s.profile.methods.get);

    head_share: Session, Share, Real, 0.0 to 1.0, Deciding;
    "Requests by HEAD."; missing "without a request";
    |s| s.share(s.profile.methods.head);

    post_share: Session, Share, Real, 0.0 to 1.0, Deciding;
    "Requests by POST."; missing "without a request";
    |s| s.share(s.profile.methods.post);

    other_method_share: Session, Share, Real, 0.0 to 1.0, Deciding;
    "Requests by any other method."; missing "without a request";
    |s| s.share(s.profile.methods.other);

    night_share: Session, Share, Real, 0.0 to 1.0, Deciding;
    "Requests from midnight to seven in the configured zone."; missing "without a request";
    |s| s.share(s.profile.night);

    bytes_total: Session, Bytes, Whole, 0.0 to EXACT, Afterwards;
    "Bytes of the answers that told their size; ends at 2⁵³."; missing "where no size is known";
    |s| (s.profile.bytes_known > 0).then_some(s.profile.bytes as f64);

    bytes_mean: Session, Bytes, Real, 0.0 to EXACT, Afterwards;
    "Mean bytes of those answers."; missing "where no size is known";
    |s| ratio(s.profile.bytes as f64, s.profile.bytes_known);

    page_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for pages."; missing "without a request";
    |s| s.share(s.profile.of_kind(RequestKind::Page));

    asset_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for styles, scripts, images, fonts and the icon."; missing "without a request";
    |s| s.share(s.profile.of_kind(RequestKind::Asset) + s.profile.of_kind(RequestKind::Favicon));

    image_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for images, by the ending of the path."; missing "without a request";
    |s| s.share(s.profile.images);

    document_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for files to keep: PDF, archives, text documents."; missing "without a request";
    |s| s.share(s.profile.of_kind(RequestKind::Download));

    api_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for what programs call."; missing "without a request";
    |s| s.share(s.profile.of_kind(RequestKind::Api));

    feed_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for feeds."; missing "without a request";
    |s| s.share(s.profile.of_kind(RequestKind::Feed));

    robots_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests for robots.txt, sitemaps and what else is there for robots."; missing "without a request";
    |s| s.share(s.profile.of_kind(RequestKind::Robots));

    favicon_requested: Navigation, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether the icon was asked for."; missing "without a request";
    |s| s.flag(s.profile.of_kind(RequestKind::Favicon) > 0);

    images_per_page: Navigation, Ratio, Real, 0.0 to NO_END, Deciding;
    "Images for each page view."; missing "without a page view";
    |s| ratio(f64::from(s.profile.images), s.profile.session.counts.page_views);

    loaded_page_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Pages for which an asset was loaded, of those that waited for one."; missing "without such a page";
    |s| {
        let (loaded, bare) = (s.profile.session.loaded_pages, s.profile.session.bare_pages);
        ratio(f64::from(loaded), loaded + bare)
    };

    repeated_view_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Page views of pages seen before; exact up to 256 pages."; missing "without a page view";
    |s| {
        let total = s.profile.pages.total();
        ratio(f64::from(total.saturating_sub(s.profile.pages.distinct())), total)
    };

    most_requests_for_one_page: Navigation, Count, Whole, 0.0 to NO_END, Deciding;
    "Views of the page that was viewed most, of the first 256."; missing "without a page view";
    |s| s.profile.pages.entropy().map(|_| f64::from(s.profile.pages.most()));

    path_entropy: Navigation, Bits, Real, 0.0 to 32.0, Deciding;
    "Entropy of the pages viewed."; missing "without a page view";
    |s| s.profile.pages.entropy().map(|bits| bits.min(32.0));

    walk_depth_max: Navigation, Count, Whole, 0.0 to 65_535.0, Deciding;
    "Parts of the deepest path viewed."; missing "without a page view";
    |s| s.profile.depth.mean().map(|_| f64::from(s.profile.depth.most));

    walk_depth_mean: Navigation, Count, Real, 0.0 to 65_535.0, Deciding;
    "Mean number of parts of the paths viewed."; missing "without a page view";
    |s| s.profile.depth.mean();

    walk_depth_deviation: Navigation, Count, Real, 0.0 to 65_535.0, Deciding;
    "Standard deviation of that number."; missing "without a page view";
    |s| s.profile.depth.deviation();

    walk_width: Navigation, Count, Whole, 0.0 to NO_END, Deciding;
    "Distinct directories of the pages viewed; an estimate above 64."; missing "without a page view";
    |s| s.profile.depth.mean().map(|_| f64::from(s.profile.directories.count()));

    systematic_step_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Steps between pages that follow one rule: counting, or the order of the alphabet.";
    missing "with fewer than two steps";
    |s| s.profile.session.walk.systematic_share().map(|share| share.min(1.0));

    numeric_step_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Steps by which the number in the path changes by the same again."; missing "with fewer than two steps";
    |s| s.profile.session.walk.numeric_share().map(|share| share.min(1.0));

    kind_switch_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Successive requests that ask for another kind of thing."; missing "with fewer than two requests on time";
    |s| ratio(f64::from(s.profile.kind_switches), s.profile.gaps.count());

    unassigned_referrer_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests that name no referrer."; missing "where referrers are not recorded";
    |s| ratio(f64::from(s.profile.referrers_missing), s.profile.referrers_seen);

    external_referrer_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Requests that name another site."; missing "where referrers are not recorded";
    |s| ratio(f64::from(s.profile.referrers_external), s.profile.referrers_seen);

    referrer_present: Navigation, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether any request named a referrer."; missing "where referrers are not recorded";
    |s| {
        let (seen, missing) = (s.profile.referrers_seen, s.profile.referrers_missing);
        (seen > 0).then(|| f64::from(u8::from(missing < seen)))
    };

    inner_unassigned_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Page views after the first that name no referrer."; missing "without such a view, or where referrers are not recorded";
    |s| {
        let counts = &s.profile.session.referrers;
        ratio(f64::from(counts.inner_missing), counts.inner_views)
    };

    unserved_referrer_views: Navigation, Count, Whole, 0.0 to NO_END, Deciding;
    "Page views that name a page of the site which was never served to this session.";
    missing "where referrers are not recorded";
    |s| (s.profile.referrers_seen > 0).then(|| f64::from(s.profile.session.referrers.unserved));

    linked_step_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Gaps between page views that follow a link of the page before.";
    missing "with fewer than two page views, or where referrers are not recorded";
    |s| {
        let (linked, gaps) = (s.profile.session.referrers.linked, s.profile.session.gaps.count());
        (s.profile.referrers_seen > 0).then(|| ratio(f64::from(linked), gaps)).flatten()
    };

    status_2xx_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Answers 200 to 299, of those known."; missing "where no answer is known";
    |s| ratio(f64::from(s.profile.statuses.success), s.profile.statuses.known);

    status_3xx_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Answers 300 to 399, of those known."; missing "where no answer is known";
    |s| ratio(f64::from(s.profile.statuses.redirect), s.profile.statuses.known);

    status_4xx_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Answers 400 to 499, of those known."; missing "where no answer is known";
    |s| ratio(f64::from(s.profile.statuses.client_error), s.profile.statuses.known);

    status_5xx_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Answers 500 to 599, of those known."; missing "where no answer is known";
    |s| ratio(f64::from(s.profile.statuses.server_error), s.profile.statuses.known);

    not_modified_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Answers 304, of those known: a browser's cache."; missing "where no answer is known";
    |s| ratio(f64::from(s.profile.session.counts.not_modified), s.profile.statuses.known);

    probe_requests: Navigation, Count, Whole, 0.0 to NO_END, Deciding;
    "Requests that only attackers make."; missing "without a request";
    |s| (s.requests() > 0).then(|| f64::from(s.profile.session.probes.requests));

    trap_requested: Navigation, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether a URL was asked for that the site shows to nobody."; missing "without a request";
    |s| s.flag(s.profile.session.probes.trap);

    refused_post_share: Navigation, Share, Real, 0.0 to 1.0, Deciding;
    "Posts that the site refused: 400, 401, 403 or 422."; missing "without a post";
    |s| ratio(f64::from(s.profile.session.counts.refused_posts), s.profile.session.counts.posts);

    quick_posts: Navigation, Count, Whole, 0.0 to NO_END, Deciding;
    "Posts at most three seconds after the page that holds the form."; missing "without a post";
    |s| (s.profile.session.counts.posts > 0).then(|| f64::from(s.profile.session.quick_posts));

    unserved_posts: Navigation, Count, Whole, 0.0 to NO_END, Deciding;
    "Posts of a form that was never served to this session."; missing "without a post";
    |s| (s.profile.session.counts.posts > 0).then(|| f64::from(s.profile.session.unserved_posts));

    robots_first: Navigation, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether the first request was for robots.txt."; missing "without a request";
    |s| s.flag(s.profile.session.robots_first);

    avg_time_between_requests_ms: Timing, Milliseconds, Real, 0.0 to NO_END, Deciding;
    "Mean time between page views."; missing "with fewer than two page views";
    |s| s.profile.session.gaps.mean_us().map(|us| us.max(0.0) / 1e3);

    request_time_variance: Timing, SquareMilliseconds, Real, 0.0 to NO_END, Deciding;
    "Variance of the times between page views."; missing "with fewer than three page views";
    |s| s.gaps().and_then(GapStats::variance_us2).map(|us2| us2.max(0.0) / 1e6);

    gap_deviation_ms: Timing, Milliseconds, Real, 0.0 to NO_END, Deciding;
    "Standard deviation of the times between page views."; missing "with fewer than three page views";
    |s| s.gaps().and_then(GapStats::variance_us2).map(|us2| libm::sqrt(us2.max(0.0)) / 1e3);

    time_pattern_regularity: Timing, Ratio, Real, 0.0 to 1.0, Deciding;
    "1/(1 + CV) of the times between page views: 1 for equal ones, near 0 for irregular ones.";
    missing "with fewer than three page views, or when all came at one time";
    |s| s.gaps().and_then(GapStats::coefficient_of_variation).map(|cv| 1.0 / (1.0 + cv));

    gap_log_deviation: Timing, Log, Real, 0.0 to 64.0, Deciding;
    "Standard deviation of the logarithms of the times between page views."; missing "with fewer than three page views";
    |s| s.gaps().and_then(GapStats::log_deviation).map(|deviation| deviation.max(0.0));

    smallest_gap_ms: Timing, Milliseconds, Real, 0.0 to NO_END, Deciding;
    "Shortest time between page views."; missing "with fewer than two page views";
    |s| s.profile.session.gaps.smallest_us().map(|us| us as f64 / 1e3);

    largest_gap_ms: Timing, Milliseconds, Real, 0.0 to NO_END, Deciding;
    "Longest time between page views."; missing "with fewer than two page views";
    |s| s.profile.session.gaps.largest_us().map(|us| us as f64 / 1e3);

    subsecond_gap_share: Timing, Share, Real, 0.0 to 1.0, Deciding;
    "Times between page views under a second."; missing "with fewer than two page views";
    |s| ratio(f64::from(s.profile.session.gaps.under_a_second()), s.profile.session.gaps.count());

    longest_equal_gap_run: Timing, Count, Whole, 0.0 to 65_535.0, Deciding;
    "Longest run of times between page views that are equal within a millisecond.";
    missing "with fewer than two page views";
    |s| {
        let gaps = &s.profile.session.gaps;
        (gaps.count() > 0).then(|| f64::from(gaps.longest_equal_run()))
    };

    request_gap_mean_ms: Timing, Milliseconds, Real, 0.0 to NO_END, Deciding;
    "Mean time between requests of any kind."; missing "with fewer than two requests on time";
    |s| s.profile.gaps.mean_us().map(|us| us.max(0.0) / 1e3);

    request_gap_deviation_ms: Timing, Milliseconds, Real, 0.0 to NO_END, Deciding;
    "Standard deviation of the times between requests of any kind."; missing "with fewer than three requests on time";
    |s| {
        let gaps = (s.profile.gaps.count() > 1).then_some(&s.profile.gaps)?;
        gaps.variance_us2().map(|us2| libm::sqrt(us2.max(0.0)) / 1e3)
    };

    request_gap_entropy: Timing, Bits, Real, 0.0 to 5.0, Deciding;
    "Entropy of the times between requests of any kind, in classes that double."; missing "with fewer than two requests on time";
    |s| s.profile.gap_classes.entropy().map(|bits| bits.min(5.0));

    request_burst_count: Timing, Count, Whole, 0.0 to NO_END, Deciding;
    "Runs of three and more charged requests, each within a second of the one before."; missing "without a request";
    |s| (s.requests() > 0).then(|| f64::from(s.profile.bursts));

    most_in_a_second: Timing, Count, Whole, 0.0 to 65_535.0, Deciding;
    "Most charged requests in one whole second."; missing "without a request";
    |s| (s.requests() > 0).then(|| f64::from(s.profile.session.burst.in_one_second()));

    most_in_ten_seconds: Timing, Count, Whole, 0.0 to 65_535.0, Deciding;
    "Most charged requests in ten whole seconds."; missing "without a request";
    |s| (s.requests() > 0).then(|| f64::from(s.profile.session.burst.in_ten_seconds()));

    has_javascript: Behavioural, Flag, Flag, 0.0 to 1.0, Afterwards;
    "Whether the tracker ran: a beacon came."; missing "without a beacon, unless the site's pages are known to carry the tracker";
    |s| {
        let ran = s.profile.beacons.events > 0 || s.profile.of_kind(RequestKind::Beacon) > 0;
        let known = ran || (s.tracker_on_pages && s.views() > 0.0);
        known.then(|| f64::from(u8::from(ran)))
    };

    viewport_width: Behavioural, Pixels, Whole, 0.0 to PIXELS, Afterwards;
    "Width of the window."; missing "where the tracker did not tell it";
    |s| s.context.viewport.map(|(width, _)| f64::from(width.min(i32::MAX as u32)));

    viewport_height: Behavioural, Pixels, Whole, 0.0 to PIXELS, Afterwards;
    "Height of the window."; missing "where the tracker did not tell it";
    |s| s.context.viewport.map(|(_, height)| f64::from(height.min(i32::MAX as u32)));

    engagement_events: Behavioural, Count, Whole, 0.0 to NO_END, Afterwards;
    "Beacons of engagement."; missing "without a beacon";
    |s| (s.profile.beacons.events > 0).then(|| f64::from(s.profile.beacons.events));

    avg_scroll_depth: Behavioural, Percent, Real, 0.0 to 100.0, Afterwards;
    "Mean depth of scrolling."; missing "where no beacon told it";
    |s| s.profile.beacons.depth.mean();

    max_scroll_depth: Behavioural, Percent, Whole, 0.0 to 100.0, Afterwards;
    "Greatest depth of scrolling."; missing "where no beacon told it";
    |s| s.profile.beacons.max_depth.map(f64::from);

    avg_time_on_page_ms: Behavioural, Milliseconds, Real, 0.0 to NO_END, Afterwards;
    "Mean time on a page."; missing "where no beacon told it";
    |s| s.profile.beacons.time_on_page_ms.mean();

    visible_share: Behavioural, Share, Real, 0.0 to 1.0, Afterwards;
    "Visible time of the time that pages were open."; missing "where no beacon told both, or pages were open for no time";
    |s| {
        let beacons = &s.profile.beacons;
        let (visible, hidden) = (beacons.visible_ms.total()?, beacons.hidden_ms.total().unwrap_or(0.0));
        (visible + hidden > 0.0).then(|| visible / (visible + hidden))
    };

    focus_ms: Behavioural, Milliseconds, Whole, 0.0 to EXACT, Afterwards;
    "Time that pages had the focus."; missing "where no beacon told it";
    |s| s.profile.beacons.focus_ms.total();

    time_to_first_interaction_ms: Behavioural, Milliseconds, Real, 0.0 to NO_END, Afterwards;
    "Mean time to the first click, key or touch."; missing "where no beacon told it";
    |s| s.profile.beacons.first_interaction_ms.mean();

    time_to_first_scroll_ms: Behavioural, Milliseconds, Real, 0.0 to NO_END, Afterwards;
    "Mean time to the first scrolling."; missing "where no beacon told it";
    |s| s.profile.beacons.first_scroll_ms.mean();

    total_clicks: Behavioural, Count, Whole, 0.0 to EXACT, Afterwards;
    "Clicks and taps."; missing "where no beacon told it";
    |s| s.profile.beacons.clicks.total();

    keyboard_events: Behavioural, Count, Whole, 0.0 to EXACT, Afterwards;
    "Keys pressed."; missing "where no beacon told it";
    |s| s.profile.beacons.keys.total();

    copy_events: Behavioural, Count, Whole, 0.0 to EXACT, Afterwards;
    "How often something was copied."; missing "where no beacon told it";
    |s| s.profile.beacons.copies.total();

    blur_count: Behavioural, Count, Whole, 0.0 to EXACT, Afterwards;
    "How often pages lost the focus."; missing "where no beacon told it";
    |s| s.profile.beacons.blurs.total();

    tab_switches: Behavioural, Count, Whole, 0.0 to EXACT, Afterwards;
    "How often another tab came in front."; missing "where no beacon told it";
    |s| s.profile.beacons.tab_switches.total();

    scroll_direction_changes: Behavioural, Count, Whole, 0.0 to EXACT, Afterwards;
    "How often scrolling turned."; missing "where no beacon told it";
    |s| s.profile.beacons.turns.total();

    scroll_velocity_avg: Behavioural, PixelsPerSecond, Real, 0.0 to NO_END, Afterwards;
    "Mean speed of scrolling."; missing "where no beacon told it";
    |s| s.profile.beacons.scroll_velocity.mean().map(|thousandths| thousandths / 1e3);

    mouse_distance_px: Behavioural, Pixels, Whole, 0.0 to EXACT, Afterwards;
    "Length of the mouse's path."; missing "where no beacon told it with its visible time";
    |s| s.profile.beacons.mouse_px.total();

    avg_mouse_speed: Behavioural, PixelsPerSecond, Real, 0.0 to NO_END, Afterwards;
    "Length of the mouse's path over the visible time of the same beacons.";
    missing "where no beacon told both, or the time is 0";
    |s| s.profile.beacons.mouse_px.over(s.profile.beacons.mouse_ms).map(|per_ms| per_ms * 1e3);

    mouse_movement_entropy: Behavioural, Bits, Real, 0.0 to 3.0, Afterwards;
    "Mean entropy of the directions of the mouse in eight sectors."; missing "where no beacon told it";
    |s| s.profile.beacons.mouse_entropy.mean().map(|thousandths| (thousandths / 1e3).min(3.0));

    rage_click_share: Behavioural, Share, Real, 0.0 to 1.0, Afterwards;
    "Beacons with a rage click."; missing "without a beacon";
    |s| s.profile.beacons.share(s.profile.beacons.rage);

    dead_click_share: Behavioural, Share, Real, 0.0 to 1.0, Afterwards;
    "Beacons with a dead click."; missing "without a beacon";
    |s| s.profile.beacons.share(s.profile.beacons.dead);

    idle_page_share: Behavioural, Share, Real, 0.0 to 1.0, Afterwards;
    "Beacons of pages that lay idle."; missing "without a beacon";
    |s| s.profile.beacons.share(s.profile.beacons.idle);

    implausible_beacon_share: Behavioural, Share, Real, 0.0 to 1.0, Afterwards;
    "Beacons that claim what is not possible."; missing "without a beacon";
    |s| s.profile.beacons.share(s.profile.beacons.implausible);

    bound_beacon_share: Behavioural, Share, Real, 0.0 to 1.0, Afterwards;
    "Beacons with a valid token of their page."; missing "without a beacon";
    |s| s.profile.beacons.share(s.profile.beacons.bound);

    accepts_cookies: Headers, Flag, Flag, 0.0 to 1.0, Afterwards;
    "Whether a cookie of the host came back."; missing "where the host does not say";
    |s| s.context.accepts_cookies.map(|accepts| f64::from(u8::from(accepts)));

    http10_spoken: Headers, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether HTTP/1.0 or older was spoken."; missing "where versions are not recorded";
    |s| s.version_flag(s.profile.session.versions.http10);

    http2_spoken: Headers, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether HTTP/2 or newer was spoken."; missing "where versions are not recorded";
    |s| s.version_flag(s.profile.session.versions.http2);

    agent_is_browser: Headers, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether the agent claims to be a browser."; missing "without an agent";
    |s| s.agent_flag(s.context.agent.browser);

    agent_declares_automation: Headers, Flag, Flag, 0.0 to 1.0, Deciding;
    "Whether the agent says that it is automation."; missing "without an agent";
    |s| s.agent_flag(s.context.agent.declared.is_some());

    agent_age_days: Headers, Days, Real, -100_000.0 to 100_000.0, Deciding;
    "Days from the release of the browser's version to the session; below 0 for one that is newer than the catalogue of releases believes.";
    missing "where the version's release is not known";
    |s| {
        let released = s.agent()?.released?;
        let day = s.profile.session.first_us.div_euclid(86_400_000_000);
        (s.requests() > 0).then(|| ((day - i64::from(released)) as f64).clamp(-1e5, 1e5))
    };

    headless_indicators: Headers, Count, Whole, 0.0 to 3.0, Deciding;
    "Signs of a browser without a window: an agent that says so, headers that its browser never sends together, client hints that it would send.";
    missing "without an agent and where headers are not seen";
    |s| {
        let marks = &s.profile.session.headers;
        let says = s.context.agent.declared == Some(crate::user_agent::AutomationKind::HeadlessBrowser);
        let count = u8::from(says) + u8::from(marks.impossible) + u8::from(marks.hints_missing);
        (s.agent().is_some() || count > 0).then(|| f64::from(count))
    };

    automation_indicators: Headers, Count, Whole, 0.0 to 4.0, Deciding;
    "Signs of a program: an agent that says so or is no browser, HTTP/1.0 and 1.1 in one session, robots.txt first, no page that loads anything.";
    missing "without an agent";
    |s| {
        let (session, agent) = (&s.profile.session, s.agent()?);
        let count = [
            agent.declared.is_some() || !agent.browser,
            session.versions.http10 && session.versions.http11,
            session.robots_first,
            session.bare_pages > 0 && !session.loads(),
        ];
        Some(f64::from(count.into_iter().map(u8::from).sum::<u8>()))
    };

    fingerprint_anomaly_score: Fingerprint, Log, Real, -32.0 to 32.0, Afterwards;
    "Logarithm of the networks that the client's shape was seen on in the day before the session, over those that its share of sessions lets expect.";
    missing "where other sessions are not known";
    |s| s.context.shape.map(|shape| shape.anomaly().clamp(-32.0, 32.0));

    shape_networks: Fingerprint, Count, Whole, 0.0 to NO_END, Afterwards;
    "Networks that the client's shape was seen on in the day before the session."; missing "where other sessions are not known";
    |s| s.context.shape.map(|shape| f64::from(shape.networks));

    shape_session_share: Fingerprint, Share, Real, 0.0 to 1.0, Afterwards;
    "Sessions of that day with the client's shape."; missing "where other sessions are not known";
    |s| s.context.shape.map(|shape| f64::from(shape.sessions) / f64::from(shape.all_sessions.max(1)));
}

impl FeatureSubject<'_> {
    fn requests(&self) -> u32 {
        self.profile.session.counts.requests
    }

    fn views(&self) -> f64 {
        f64::from(self.profile.session.counts.page_views)
    }

    /// The duration, at least a second.
    fn seconds(&self) -> f64 {
        (self.profile.session.span_us() as f64 / 1e6).max(1.0)
    }

    fn share(&self, count: u32) -> Option<f64> {
        ratio(f64::from(count), self.requests())
    }

    fn flag(&self, yes: bool) -> Option<f64> {
        (self.requests() > 0).then(|| f64::from(u8::from(yes)))
    }

    fn version_flag(&self, yes: bool) -> Option<f64> {
        let versions = &self.profile.session.versions;
        (versions.http10 || versions.http11 || versions.http2).then(|| f64::from(u8::from(yes)))
    }

    /// The agent, where one was sent. An agent that was left out cannot be told, in what stores keep, from one that was
    /// not recorded.
    fn agent(&self) -> Option<&crate::detector::AgentFacts> {
        Some(&self.context.agent).filter(|agent| agent.observed && !agent.missing)
    }

    fn agent_flag(&self, yes: bool) -> Option<f64> {
        self.agent().map(|_| f64::from(u8::from(yes)))
    }

    /// The gaps between page views, when there are at least two.
    fn gaps(&self) -> Option<&GapStats> {
        Some(&self.profile.session.gaps).filter(|gaps| gaps.count() > 1)
    }
}

fn ratio(part: f64, whole: u32) -> Option<f64> {
    (whole > 0).then(|| part / f64::from(whole))
}
