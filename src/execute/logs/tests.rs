use super::*;

#[test]
fn lines_are_cut_and_long_ones_joined() {
    let mut splitter = lines::Splitter::default();
    let first = splitter.push(b"2024-05-06T07:08:09.5Z one\n2024-05-06T07:08:10Z tw");
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].text, "one");
    assert_eq!(first[0].time.as_deref(), Some("2024-05-06T07:08:09.5Z"));
    let second = splitter.push(b"2024-05-06T07:08:10.1Z o\r\n");
    assert_eq!(second[0].text, "two", "a long line comes in pieces, each with a timestamp");
    assert_eq!(splitter.finish(), None);
}

#[test]
fn times_compare_though_zeros_are_left_out() {
    assert!(is_later("2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.49Z"));
    assert!(!is_later("2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.500Z"));
    assert!(is_later("2024-05-06T07:08:10Z", "2024-05-06T07:08:09.999999999Z"));
}

#[test]
fn unix_time_of_a_timestamp() {
    assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(unix_seconds("2024-02-29T12:00:00.1Z"), Some(1_709_208_000));
    assert_eq!(unix_seconds("nonsense"), None);
}
