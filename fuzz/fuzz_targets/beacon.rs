//! Bodies of beacons and events: the first byte chooses what they are read as, the rest is the body.
//!
//! `cargo +nightly fuzz run -s none -O beacon` from the root. Beyond "no panic" it holds that no more items are read than
//! the policy takes, that whatever a beacon claims becomes an event that a store can keep, and that figures which were
//! brought to what is possible are possible when they are claimed again.
#![no_main]

use analytics_app::services::engagement::wire::{Beacon, EventBeacon, Form, PageTokenRequest, read};
use analytics_domain::engagement::{
    BeaconPolicy, CreateEngagementEventInput, EngagementContext, EngagementEvent, EngagementPolicy, PageTokenKey,
};
use analytics_domain::ids::{EventId, SessionId};
use chrono::{DateTime, TimeDelta};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, body)) = data.split_first() else { return };
    let policy = BeaconPolicy::default();
    let form = if choice & 1 == 0 { Form::One } else { Form::Batch };
    let _ = read::<EventBeacon>(&policy, form, body);
    let _ = read::<PageTokenRequest>(&policy, form, body);
    let Ok(items) = read::<Beacon>(&policy, form, body) else { return };
    assert!(items.len() <= policy.settings().batch_max as usize);
    let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
    let key = PageTokenKey::of_secret(&[7; 32]);
    for item in items {
        let beacon = match item {
            Ok(beacon) => beacon,
            Err(told) => {
                assert!(told.chars().count() <= 201);
                continue;
            }
        };
        let page = &beacon.claims.page_url;
        if let Some(token) = &beacon.token {
            assert!(key.check(&policy, token, page, now).is_err(), "nobody was given a token");
        }
        if let Some(at) = beacon.id.and_then(|id| policy.time_of(id, now)) {
            assert!(at <= now + TimeDelta::seconds(2));
        }
        let served = (choice & 2 != 0).then(|| now - TimeDelta::seconds((choice >> 2).into()));
        let event = |claims: &CreateEngagementEventInput| {
            let context = EngagementContext {
                id: EventId::at(now, 1).expect("a time of this century"),
                session: SessionId::from_u128(1),
                page_served_at: served,
                bound: true,
            };
            EngagementEvent::create(&EngagementPolicy::default(), context, claims, now)
        };
        let Ok(kept) = event(&beacon.claims) else {
            assert!(page.chars().all(|c| c == '\0'));
            continue;
        };
        assert!(EngagementEvent::try_from(kept.record().clone()).is_ok());
        let figures = kept.record().figures;
        let again = CreateEngagementEventInput {
            page_url: page.clone(),
            time_on_page_ms: figures.time_on_page_ms.map(f64::from),
            time_to_first_interaction_ms: figures.time_to_first_interaction_ms.map(f64::from),
            time_to_first_scroll_ms: figures.time_to_first_scroll_ms.map(f64::from),
            max_scroll_depth: figures.max_scroll_depth.map(f64::from),
            scroll_velocity_avg: figures.scroll_velocity_avg,
            scroll_direction_changes: figures.scroll_direction_changes.map(f64::from),
            click_count: figures.click_count.map(f64::from),
            mouse_move_distance_px: figures.mouse_move_distance_px.map(f64::from),
            mouse_path_entropy: figures.mouse_path_entropy,
            keyboard_events: figures.keyboard_events.map(f64::from),
            copy_events: figures.copy_events.map(f64::from),
            focus_time_ms: figures.focus_time_ms.map(f64::from),
            blur_count: figures.blur_count.map(f64::from),
            tab_switches: figures.tab_switches.map(f64::from),
            visible_time_ms: figures.visible_time_ms.map(f64::from),
            hidden_time_ms: figures.hidden_time_ms.map(f64::from),
            is_rage_click: figures.is_rage_click,
            is_dead_click: figures.is_dead_click,
            clicks: Vec::new(),
        };
        let again = event(&again).expect("the page is the same");
        assert_eq!(again.record().figures, figures);
        assert!(again.record().implausible.is_empty(), "{:?}", again.record().implausible);
    }
});
