use super::*;

fn parse(modes: &str, args: &[&str]) -> Result<Vec<ModeChange>> {
    parse_changes(
        modes,
        &args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(),
    )
}

#[test]
fn changes_take_their_arguments_in_order() {
    let changes = parse("+ov-b+l-k", &["bob", "carol", "dave", "5", "oldkey"]).unwrap();
    let [
        ModeChange::Op(bob, true),
        ModeChange::Voice(carol, true),
        ModeChange::Ban(dave, false),
        ModeChange::Limit(Some(5)),
        ModeChange::Key(None),
    ] = changes.as_slice()
    else {
        panic!("{changes:?}")
    };
    assert_eq!(
        (bob.as_str(), carol.as_str(), dave.as_str()),
        ("bob", "carol", "dave!*@*")
    );
    assert!(matches!(
        parse("-ko", &["bob"]).unwrap().as_slice(),
        [ModeChange::Key(None), ModeChange::Op(_, false)]
    ));
    assert!(matches!(
        parse("-k+l", &["5"]).unwrap().as_slice(),
        [ModeChange::Key(None), ModeChange::Limit(Some(5))]
    ));
    assert!(
        matches!(parse("-k+k", &["old", "new"]).unwrap().as_slice(), [_, ModeChange::Key(Some(key))] if key == "new")
    );
    assert!(matches!(
        parse("b", &[]).unwrap().as_slice(),
        [ModeChange::ListBans]
    ));
}

/// At this size, looking ahead for each letter would take minutes.
#[test]
fn many_modes_do_not_take_long() {
    assert_eq!(parse(&"-k".repeat(200_000), &[]).unwrap().len(), 200_000);
}

#[test]
fn one_mistake_refuses_all_changes() {
    for (modes, args, code) in [
        ("+tz", vec![], Code::UnknownMode),
        ("+o", vec![], Code::NeedMoreParams),
        ("+o", vec!["0"], Code::NoSuchNick),
        ("+l", vec!["0"], Code::InvalidModeParam),
        ("+l", vec!["many"], Code::InvalidModeParam),
        ("+k", vec!["a,b"], Code::InvalidKey),
        ("+b", vec![""], Code::InvalidModeParam),
    ] {
        assert_eq!(
            parse(modes, &args).unwrap_err().code,
            code,
            "{modes} {args:?}"
        );
    }
}
