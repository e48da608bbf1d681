//! Counting data points.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, Gauge, Histogram, Metric, ResourceMetrics, ScopeMetrics, Sum, Summary,
};
use prost::Message;
use tracewell_otlp::count_metric_points;
use tracewell_otlp::json::metrics_json_to_protobuf;

fn request() -> ExportMetricsServiceRequest {
    let data = [
        Data::Gauge(Gauge { data_points: vec![Default::default(); 1] }),
        Data::Sum(Sum { data_points: vec![Default::default(); 20], ..Default::default() }),
        Data::Histogram(Histogram { data_points: vec![Default::default(); 300], ..Default::default() }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![Default::default(); 4000],
            ..Default::default()
        }),
        Data::Summary(Summary { data_points: vec![Default::default(); 50_000] }),
    ];
    let metrics = data.map(|data| Metric { name: "m".to_owned(), data: Some(data), ..Default::default() }).to_vec();
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }, ScopeMetrics::default()];
    ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }; 2] }
}

#[test]
fn points_of_every_kind_of_metric_count() {
    assert_eq!(count_metric_points(&request().encode_to_vec()), Ok(2 * 54_321));
    assert_eq!(count_metric_points(&[]), Ok(0));
}

#[test]
fn points_sent_as_json_count() {
    let body = metrics_json_to_protobuf(&serde_json::to_vec(&request()).expect("serializable")).expect("valid");
    assert_eq!(count_metric_points(&body), Ok(2 * 54_321));
}

#[test]
fn of_two_kinds_of_data_in_a_metric_the_last_stands() {
    let data = |data| Metric { data: Some(data), ..Default::default() }.encode_to_vec();
    let gauge = data(Data::Gauge(Gauge { data_points: vec![Default::default(); 2] }));
    let summary = data(Data::Summary(Summary { data_points: vec![Default::default(); 3] }));
    for (metric, expected) in [(vec![&gauge, &summary], 3), (vec![&summary, &gauge, &gauge], 4)] {
        // Protobuf: concatenating encodings merges the messages.
        let body = [2, 2, 1].into_iter().fold(metric.into_iter().flatten().copied().collect(), |inner, tag| {
            let mut outer = Vec::new();
            prost::encoding::bytes::encode(tag, &inner, &mut outer);
            outer
        });
        assert_eq!(count_metric_points(&body), Ok(expected));
    }
}

#[test]
fn a_cut_request_is_malformed() {
    let body = request().encode_to_vec();
    assert!(count_metric_points(&body[..body.len() - 1]).is_err());
}
