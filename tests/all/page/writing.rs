//! Writing messages, in real Chromium.

use crate::support::browser::at_both_widths;

const VALUE: &str = "return document.querySelector('#composer').value";
/// Everything that the browser stores for this origin and a script can read.
const KEPT: &str = "return JSON.stringify([{ ...sessionStorage }, { ...localStorage }])";
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";
const DOWN: &str = "\u{e015}";
const UP: &str = "\u{e013}";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_silenced_listed_and_heard_again() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob, carol] = server.sessions_on("#rust", ["bob", "carol"]).await;
        page.say("/silence +bob").await;
        page.press("#server .target").await;
        page.says("#messages", "You block bob").await;
        page.press("#channels .target").await;
        page.say("/silence").await;
        page.says("#messages .reply", "You block bob").await;
        bob.send("PRIVMSG alice :unwanted").await;
        carol.send("PRIVMSG alice :wanted").await;
        page.counts("#directs .target", 1).await;
        page.says("#directs .target", "carol").await;
        page.say("/silence -bob").await;
        page.press("#server .target").await;
        page.says("#messages", "You no longer block bob").await;
        bob.send("PRIVMSG alice :wanted again").await;
        page.counts("#directs .target", 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_names_are_completed_and_sent_lines_can_be_recalled() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/nosuch").await;
        page.says("#error", "There is no command /nosuch").await;
        page.run("document.querySelector('#composer').value = ''", vec![])
            .await;
        page.say("/away out for lunch").await;
        page.says("#browse-panel", "You have been marked as being away")
            .await;
        page.until(
            "return document.querySelector('#back').title === 'out for lunch'",
            vec![],
        )
        .await;
        page.press("#back").await;
        page.until("return document.querySelector('#back').hidden", vec![])
            .await;
        page.types("#composer", "/jo").await;
        page.says("#completions [aria-selected=true]", "/join #channel [key]")
            .await;
        page.types("#composer", TAB).await;
        page.says("#syntax", "Join a channel, or create it").await;
        page.types("#composer", "#rust\n").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;
        page.says("#messages", "bob joined").await;

        page.types("#composer", "/topic ").await;
        page.says("#syntax", "/topic [text] – Show or set the channel’s topic")
            .await;
        page.types("#composer", "of the day\n").await;
        page.says("#topic", "of the day").await;
        page.types("#composer", &format!("bo{TAB}hello\n")).await;
        page.shows_message("alice: bob: hello").await;
        page.types("#composer", &format!("//me and #r{TAB}today\n"))
            .await;
        page.shows_message("alice: /me and #rust today").await;
        page.say("/me waves").await;
        page.shows_message("alice: alice waves").await;
        let heard = bob.queue().await;
        assert_eq!(heard.last().unwrap().params[1], "\u{1}ACTION waves\u{1}");

        // Lines that were sent can be recalled, but a password cannot.
        page.say("/pass correct horse battery").await;
        page.says("#messages", "A password was set").await;
        page.types("#composer", UP).await;
        assert_eq!(page.run(VALUE, vec![]).await, "/me waves");
        page.types("#composer", UP).await;
        assert_eq!(page.run(VALUE, vec![]).await, "//me and #rust today");
        page.run("document.querySelector('#composer').value = ''", vec![])
            .await;

        // Several lines become several messages, and the page asks first.
        let paste =
            "const field = document.querySelector('#composer'); field.value = 'one\\n\\ntwo';
            field.dispatchEvent(new Event('input')); document.querySelector('.send').click()";
        page.run(paste, vec![]).await;
        page.says("#ask", "Send 2 messages?").await;
        page.types("#ask .primary", ESCAPE).await;
        page.counts("#ask", 0).await;
        assert_eq!(
            page.run(VALUE, vec![]).await,
            "one\n\ntwo",
            "the text stays after a no"
        );
        page.click(".send").await;
        page.click("#ask .primary").await;
        page.shows_message("alice: two").await;
        assert_eq!(page.messages().await[3..], ["alice: one", "alice: two"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nicks_and_channels_are_completed_by_touch_and_by_keyboard() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        for channel in ["#rust", "#rumours"] {
            page.say(&format!("/join {channel}")).await;
            page.says("#title", channel).await;
        }
        let _people = server.sessions_on("#rumours", ["bob", "bea", "carol"]).await;
        page.counts("#members li", 4).await;

        // After `@` or `#` the list appears and can be tapped.
        page.types("#composer", "@bo").await;
        page.click("#completions li").await;
        page.types("#composer", "and @CA").await;
        page.click("#completions li").await;
        page.types("#composer", "come to #ru").await;
        page.counts("#completions li", 2).await;
        page.click("#completions li:last-child").await;
        assert_eq!(page.run(VALUE, vec![]).await, "bob: and carol come to #rust ");
        page.counts("#completions li", 0).await;
        // A name that is typed in full is sent as it is.
        page.types("#composer", "or #rumours\n").await;
        page.shows_message("alice: bob: and carol come to #rust or #rumours").await;

        // With the keyboard, Tab opens the list and chooses among several names.
        page.types("#composer", &format!("so b{TAB}")).await;
        page.says("#completions [aria-selected=true]", "bea").await;
        let described = "const field = document.querySelector('#composer');
            return document.getElementById(field.getAttribute('aria-activedescendant')).innerText.trim()";
        assert_eq!(page.run(described, vec![]).await, "bea");
        page.types("#composer", &format!("{DOWN}\n")).await;
        assert_eq!(page.run(VALUE, vec![]).await, "so bob ");
        page.types("#composer", &format!("c{TAB}")).await;
        assert_eq!(page.run(VALUE, vec![]).await, "so bob carol ");
        page.types("#composer", TAB).await;
        assert_eq!(page.run("return document.activeElement.ariaLabel", vec![]).await, "Send");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_survives_and_a_password_does_not() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;

        // Each conversation has a draft of its own.
        bob.send("PRIVMSG alice :psst").await;
        page.press("#directs .target").await;
        page.shows_message("bob: psst").await;
        page.types("#composer", "only to you").await;
        page.press("#channels .target").await;
        page.says("#title", "#rust").await;
        page.types("#composer", "not sent yet").await;
        page.reload().await;
        page.shows("#composer").await;
        page.until("return document.querySelector('#composer').value === 'not sent yet'", vec![]).await;
        page.say("").await;
        page.shows_message("alice: not sent yet").await;
        page.press("#directs .target").await;
        assert_eq!(page.run(VALUE, vec![]).await, "only to you");
        page.run("document.querySelector('#composer').select()", vec![]).await;
        page.types("#composer", "\u{e017}").await;
        page.press("#channels .target").await;

        // A password in the middle of pasted text is neither stored nor sent.
        let paste = "const field = document.querySelector('#composer'); field.value = 'one\\n /pass a secret\\ntwo';
            field.dispatchEvent(new Event('input')); document.querySelector('.send').click()";
        page.run(paste, vec![]).await;
        page.says("#error", "A command must be the only line.").await;
        assert!(!page.run(KEPT, vec![]).await.as_str().unwrap().contains("secret"));
        page.run("document.querySelector('#composer').value = ''", vec![]).await;
        page.types("#composer", "  /pass a secret").await;
        assert!(!page.run(KEPT, vec![]).await.as_str().unwrap().contains("secret"));
        page.press("#browse").await;
        page.press("#channels .target").await;
        assert_eq!(page.run(VALUE, vec![]).await, "");
        assert!(!page.run(KEPT, vec![]).await.as_str().unwrap().contains("secret"));
        assert_eq!(page.run(KEPT, vec![]).await, "[{},{}]", "nothing is kept when there is nothing to keep");

        // A message without an answer may have arrived. It stays visible, and a retry does not send
        // it twice.
        page.run(
            "const real = fetch; window.fetch = async (...all) => { await real(...all); throw new TypeError(); };
            window.mend = () => { window.fetch = real; }",
            vec![],
        )
        .await;
        page.say("later").await;
        page.shows_message("alice: later").await;
        page.run("mend(); window.fetch = async () => { throw new TypeError(); }", vec![]).await;
        page.say("much later").await;
        page.says("#messages .lost .state", "Perhaps not sent.").await;
        page.run("mend()", vec![]).await;
        page.click("#messages .lost .retry").await;
        page.shows_message("alice: much later").await;
        page.counts("#messages .pending", 0).await;
        let heard = bob.queue().await;
        let texts: Vec<_> = heard.iter().filter_map(|message| message.text()).collect();
        assert_eq!(texts[texts.len() - 2..], ["later", "much later"]);

        // The user can discard a message that was refused for good.
        bob.send("PRIVMSG alice :hello").await;
        page.press("#directs .target").await;
        bob.send("QUIT").await;
        page.say("are you there?").await;
        page.says("#messages .refused .state", "Not sent.").await;
        page.click("#messages .discard").await;
        page.counts("#messages .pending", 0).await;
    })
    .await;
}
