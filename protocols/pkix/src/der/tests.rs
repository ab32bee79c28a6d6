use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    bytes: 1 << 16,
    depth: 32,
    elements: 4096,
};

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| tlv(tag::SEQUENCE, &inner))
}

#[test]
fn prescan_verdicts() {
    let rows: [(&str, Vec<u8>, Option<Flaw>); 17] = [
        ("null", vec![5, 0], None),
        ("two elements in a sequence", vec![0x30, 4, 5, 0, 5, 0], None),
        ("32 levels", nested(32), None),
        ("33 levels", nested(33), Some(Flaw::TooDeep)),
        ("10,000 levels", nested(10_000), Some(Flaw::TooDeep)),
        ("empty", vec![], Some(Flaw::Truncated)),
        ("tag only", vec![0x30], Some(Flaw::Truncated)),
        ("content missing", vec![4, 2, 0], Some(Flaw::Truncated)),
        (
            "inner element runs out of its container",
            vec![0x30, 3, 4, 2, 0],
            Some(Flaw::Truncated),
        ),
        (
            "trailing byte",
            vec![5, 0, 0],
            Some(Flaw::Trailing("the outermost element")),
        ),
        (
            "indefinite length",
            vec![0x30, 0x80, 0, 0],
            Some(Flaw::IndefiniteLength),
        ),
        ("padded length", vec![4, 0x81, 1, 0], Some(Flaw::BadLength)),
        (
            "padded long length",
            vec![4, 0x82, 0, 0x80],
            Some(Flaw::BadLength),
        ),
        (
            "length of 2^63",
            [vec![0x30, 0x88, 0x80], vec![0; 7]].concat(),
            Some(Flaw::BadLength),
        ),
        (
            "constructed octet string",
            vec![0x24, 0],
            Some(Flaw::BadTag(0x24)),
        ),
        ("primitive sequence", vec![0x10, 0], Some(Flaw::BadTag(0x10))),
        (
            "multi-octet tag",
            vec![0xbf, 0x81, 0, 0],
            Some(Flaw::BadTag(0xbf)),
        ),
    ];
    for (name, input, expected) in rows {
        let verdict = prescan(&input, LIMITS).map_err(|error| error.what).err();
        assert_eq!(verdict, expected, "{name}");
    }
}

#[test]
fn prescan_limits() {
    let many = constructed(tag::SEQUENCE, &vec![null(); 10]);
    let limits = |bytes, elements| Limits {
        bytes,
        depth: 32,
        elements,
    };
    assert!(prescan(&many, limits(many.len(), 11)).is_ok());
    assert_eq!(
        prescan(&many, limits(many.len(), 10)),
        Err(Flaw::TooMany("elements").at(20))
    );
    assert_eq!(
        prescan(&many, limits(21, 11)),
        Err(Flaw::TooLarge("input").at(21))
    );
    assert!(prescan(&nested(2), Limits { depth: 1, ..LIMITS }).is_err());
    assert!(prescan(&nested(33), Limits { depth: 100, ..LIMITS }).is_err());
}

#[test]
fn errors_point_into_the_original_input() {
    let input = sequence(&[null(), sequence(&[boolean(true), null()])]);
    let mut outer = Reader::new(&input).sequence("outer").expect("outer");
    outer.any().expect("null");
    let mut inner = outer.sequence("inner").expect("inner");
    inner.expect(tag::BOOLEAN, "flag").expect("flag");
    assert_eq!(
        inner.clone().expect(tag::BOOLEAN, "flag").map(|_| ()),
        Err(Flaw::Expected("flag").at(9))
    );
    assert_eq!(inner.finish("inner"), Err(Flaw::Trailing("inner").at(9)));
}

#[test]
fn integers_are_minimal() {
    let rows: [(&[u8], &[u8]); 5] = [
        (&[], &[2, 1, 0]),
        (&[0, 0], &[2, 1, 0]),
        (&[0, 1], &[2, 1, 1]),
        (&[0x80], &[2, 2, 0, 0x80]),
        (&[0x7f], &[2, 1, 0x7f]),
    ];
    for (octets, expected) in rows {
        assert_eq!(unsigned_integer(octets), expected);
    }
}

proptest! {
    #[test]
    fn written_elements_read_back(length in 0_usize..70_000, element_tag in prop::sample::select(vec![4_u8, 0x30, 0x80])) {
        let bytes = tlv(element_tag, &vec![5; length]);
        let mut reader = Reader::new(&bytes);
        let element = reader.any()?;
        prop_assert_eq!((element.tag, element.content.len(), element.whole.len()), (element_tag, length, bytes.len()));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn prescan_handles_anything(input in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x30), 0_u8..6], 0..200)) {
        if prescan(&input, LIMITS).is_ok() {
            // What passed is one element that a reader takes whole.
            let mut reader = Reader::new(&input);
            reader.any()?;
            prop_assert!(reader.is_empty());
        }
    }
}
