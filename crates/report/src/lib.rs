//! Cost and quality reports: figures, pages, schedules, delivery.
