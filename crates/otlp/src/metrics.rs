//! Metrics are not stored; they are counted, so that a sender learns how many points were turned away.

use crate::MalformedRequest;
use crate::wire::Fields;

/// The number of data points in an `ExportMetricsServiceRequest`.
///
/// # Errors
/// When the framing above the data points is broken; what is inside a point is not looked at.
pub fn count_metric_points(body: &[u8]) -> Result<u64, MalformedRequest> {
    let mut points = 0;
    let mut request = Fields::new(body, "ExportMetricsServiceRequest");
    while let Some(field) = request.next()? {
        if field.tag != 1 {
            continue;
        }
        let mut resource = Fields::new(field.bytes()?, "ResourceMetrics");
        while let Some(field) = resource.next()? {
            if field.tag != 2 {
                continue;
            }
            let mut scope = Fields::new(field.bytes()?, "ScopeMetrics");
            while let Some(field) = scope.next()? {
                if field.tag == 2 {
                    points += points_of_metric(field.bytes()?)?;
                }
            }
        }
    }
    Ok(points)
}

fn points_of_metric(bytes: &[u8]) -> Result<u64, MalformedRequest> {
    let mut metric = Fields::new(bytes, "Metric");
    let (mut kind, mut points) = (0, 0);
    while let Some(field) = metric.next()? {
        // gauge, sum, histogram, exponential_histogram and summary: `oneof data`, each with its points in field 1.
        if !matches!(field.tag, 5 | 7 | 9 | 10 | 11) {
            continue;
        }
        if field.tag != kind {
            (kind, points) = (field.tag, 0);
        }
        let mut data = Fields::new(field.bytes()?, "Metric.data");
        while let Some(field) = data.next()? {
            if field.tag == 1 {
                field.bytes()?;
                points += 1;
            }
        }
    }
    Ok(points)
}
