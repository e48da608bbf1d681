//! Contents in span events.

use std::borrow::Cow;

use tracewell_model::kind::Form;
use tracewell_otlp::Event;

use super::attributes;
use super::carriers::Events;
use super::role;
use super::split::Carrier;

/// One attribute of a span event that carries contents.
pub(super) struct EventCarrier<'a> {
    pub(super) event: u32,
    /// Where the attribute stands in the event. Where its key repeats, the last counts and all are listed.
    pub(super) positions: Vec<u32>,
    pub(super) carrier: Carrier<'a>,
}

/// What `events` carry as `wanted` says, in the order of time.
pub(super) fn carriers<'a>(events: &[Event<'a>], wanted: Events) -> Vec<EventCarrier<'a>> {
    let mut order: Vec<(usize, &Event<'a>)> =
        events.iter().enumerate().filter(|(_, event)| wanted.names.contains(&event.name)).collect();
    order.sort_by_key(|(_, event)| event.time_unix_nano);
    order.into_iter().flat_map(|(index, event)| in_event(index as u32, event, wanted)).collect()
}

fn in_event<'a>(index: u32, event: &Event<'a>, wanted: Events) -> Vec<EventCarrier<'a>> {
    let mut found: Vec<EventCarrier<'a>> = Vec::new();
    for (position, attribute) in event.attributes.iter().enumerate() {
        let Some(key) = wanted.keys.iter().find(|key| **key == attribute.key) else { continue };
        let Some(text) = attributes::text(attribute.value) else { continue };
        let source = Cow::Owned(format!("event:{index}:{}:{key}", event.name));
        if let Some(before) = found.iter_mut().find(|carrier| carrier.carrier.source == source) {
            before.carrier.text = text;
            before.positions.push(position as u32);
            continue;
        }
        let role = role::of_event(event.name).map(Cow::Borrowed);
        let carrier = Carrier { text, source, whole: Form::Event, role };
        found.push(EventCarrier { event: index, positions: vec![position as u32], carrier });
    }
    found
}
