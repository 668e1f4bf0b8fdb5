use super::*;

fn list(channels: &[(&str, Option<i64>)]) -> ChannelList {
    let listed = |(name, members): &(&str, Option<i64>)| Listed {
        name: name.to_string(),
        folded: name.to_ascii_lowercase(),
        members: *members,
        topic: None,
    };
    ChannelList::new(channels.iter().map(listed).collect(), false)
}

/// The names on all pages, page by page.
fn walk(list: &ChannelList, mut from: PageStart, limit: usize, matching: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = list.page(&from, limit, matching);
        pages.push(
            page.channels
                .iter()
                .map(|channel| channel.name.clone())
                .collect(),
        );
        let Some(next) = page.next else { return pages };
        from = PageStart::parse(&next).unwrap();
    }
}

#[test]
fn a_walk_visits_every_channel_once_in_either_order() {
    let list = list(&[
        ("#b", Some(2)),
        ("#A", Some(1)),
        ("#c", Some(7)),
        ("#key", None),
        ("#d", Some(2)),
    ]);
    assert_eq!(
        walk(&list, PageStart::Largest, 2, ""),
        [vec!["#c", "#b"], vec!["#d", "#A"], vec!["#key"]]
    );
    assert_eq!(
        walk(&list, PageStart::Largest, 5, ""),
        [["#c", "#b", "#d", "#A", "#key"]]
    );
    let by_name = |after: &str| walk(&list, PageStart::parse(after).unwrap(), 2, "");
    assert_eq!(
        by_name(""),
        [vec!["#A", "#b"], vec!["#c", "#d"], vec!["#key"]]
    );
    assert_eq!(by_name("#B"), [vec!["#c", "#d"], vec!["#key"]]);
    assert_eq!(
        by_name("#bb"),
        [vec!["#c", "#d"], vec!["#key"]],
        "after a channel that does not exist"
    );
    assert_eq!(by_name("#x"), [Vec::<String>::new()]);
    assert_eq!(walk(&list, PageStart::Largest, 1, "A"), [["#A"]]);
    assert_eq!(
        walk(&list, PageStart::Name(String::new()), 1, "#"),
        [["#A"], ["#b"], ["#c"], ["#d"], ["#key"]]
    );
}

#[test]
fn a_page_ends_at_its_length() {
    let mut long = list(&[("#a", Some(2)), ("#b", Some(1)), ("#c", Some(1))]);
    long.channels[0].topic = Some("\u{1}".repeat(PAGE_BYTES / 6));
    assert_eq!(
        walk(&long, PageStart::Largest, 500, ""),
        [vec!["#a"], vec!["#b", "#c"]]
    );
}
