use std::collections::HashMap;

use super::expand::{Quotes, expand, split_words};
use super::*;

fn texts(dockerfile: &Dockerfile) -> Vec<&str> {
    dockerfile.stages.iter().flat_map(|s| s.instructions.iter().map(|i| i.text.as_str())).collect()
}

fn instructions(body: &str) -> Vec<Instruction> {
    parse(&format!("FROM a\n{body}\n")).unwrap().stages.remove(0).instructions
}

fn copy(line: &str) -> Copy {
    match instructions(line).remove(0).kind {
        Kind::Copy(copy) => *copy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_are_joined_and_comments_dropped() {
    for (text, expected) in [
        ("RUN a \\\n  b", vec!["RUN a   b"]),
        ("RUN a \\\n# comment\n  b", vec!["RUN a   b"]),
        ("RUN a \\\n\n   # comment\n\n  b", vec!["RUN a   b"]),
        ("RUN a \\  \n b", vec!["RUN a  b"]),
        ("RUN a \\\\\nUSER b", vec!["RUN a \\\\", "USER b"]),
        ("RUN a\\\nb", vec!["RUN ab"]),
        ("RUN a # no comment", vec!["RUN a # no comment"]),
        ("  RUN a\r\nUSER b\r\n", vec!["RUN a", "USER b"]),
        ("run a \\", vec!["run a"]),
        ("# c\n\nUSER a", vec!["USER a"]),
    ] {
        assert_eq!(texts(&parse(&format!("FROM x\n{text}")).unwrap()), expected, "{text:?}");
    }
}

#[test]
fn places_are_those_of_the_first_line() {
    let dockerfile = parse("\u{feff}# c\nFROM a\n\n  RUN x \\\n y\nUSER b\n").unwrap();
    let places: Vec<_> = dockerfile.stages[0].instructions.iter().map(|i| i.place.to_string()).collect();
    assert_eq!(
        (dockerfile.stages[0].place.to_string().as_str(), places),
        ("2:1", vec!["4:3".to_owned(), "6:1".to_owned()])
    );
}

#[test]
fn directives_stand_at_the_top_only() {
    let of = |text: &str| parse(text).map(|d| d.directives);
    let read = of("# Escape = `\n#syntax=docker/dockerfile:1\n# check=skip=all\nFROM a\n").unwrap();
    assert_eq!(
        (read.escape, read.syntax.as_deref(), read.check.as_deref()),
        ('`', Some("docker/dockerfile:1"), Some("skip=all"))
    );
    assert_eq!(of("# a comment\n# escape=`\nFROM a\n").unwrap().escape, '\\');
    assert_eq!(of("\n# escape=`\nFROM a\n").unwrap().escape, '\\');
    assert_eq!(of("# unknown=x\n# escape=`\nFROM a\n").unwrap().escape, '\\');
    assert_eq!(of("#!/usr/bin/env x\n# escape=`\nFROM a\n").unwrap().escape, '`');
    assert_eq!(
        of("# escape=x\nFROM a\n").unwrap_err().to_string(),
        "1:1: the escape character \"x\" is neither ` nor \\"
    );
    assert!(of("# escape=`\n# escape=`\nFROM a\n").unwrap_err().message.contains("only one escape"));
    assert_eq!(texts(&parse("# escape=`\nFROM a\nRUN c:\\ `\n b\n").unwrap()), ["RUN c:\\  b"]);
}

#[test]
fn heredocs_belong_to_their_instruction() {
    for (text, expected) in [
        ("RUN <<EOF\na\nEOF\nUSER b", vec![("EOF", "a\n", false, true)]),
        ("RUN <<'EOF'\n$a\nEOF\nUSER b", vec![("EOF", "$a\n", false, false)]),
        ("RUN <<\"EOF\"\na\nEOF\nUSER b", vec![("EOF", "a\n", false, false)]),
        ("RUN <<-EOF\n\ta\n\tEOF\nUSER b", vec![("EOF", "\ta\n", true, true)]),
        ("RUN cat <<A 3<<B > x\n1\nA\n2\nB\nUSER b", vec![("A", "1\n", false, true), ("B", "2\n", false, true)]),
        (
            "COPY <<a.txt <<b.txt /x/\n1\na.txt\n# 2\nb.txt\nUSER b",
            vec![("a.txt", "1\n", false, true), ("b.txt", "# 2\n", false, true)],
        ),
        ("ONBUILD RUN <<E\nx\nE\nUSER b", vec![("E", "x\n", false, true)]),
        ("RUN --network=none <<E\nUSER x\nE\nUSER b", vec![("E", "USER x\n", false, true)]),
        ("RUN [\"a\", \"<<E\"]\nUSER b", vec![]),
        ("RUN echo \"<<E\"\nUSER b", vec![]),
        ("RUN a <<<E\nUSER b", vec![]),
        ("CMD <<E\nUSER b", vec![]),
        ("RUN x << E\nUSER b", vec![]),
    ] {
        let found = instructions(text);
        let heredocs: Vec<_> =
            found[0].heredocs.iter().map(|h| (h.name.as_str(), h.content.as_str(), h.chomp, h.expand)).collect();
        assert_eq!(heredocs, expected, "{text:?}");
        assert_eq!(found.last().unwrap().text, "USER b", "{text:?}");
    }
    let error = parse("FROM a\nRUN <<E\nx\n").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.hint.as_deref()),
        ("2:1: the heredoc <<E is not closed", Some("end it with a line that holds E alone"))
    );
}

#[test]
fn copy_in_all_its_forms() {
    for (line, sources, dest) in [
        ("COPY a b c/", vec!["a", "b"], "c/"),
        ("copy  a\tb   c ", vec!["a", "b"], "c"),
        ("COPY [\"a b\", \"c\"]", vec!["a b"], "c"),
        ("COPY [ \"a\" , \"b\" ]", vec!["a"], "b"),
        ("COPY [abc] d", vec!["[abc]"], "d"),
        ("ADD \"a b\" c", vec!["\"a", "b\""], "c"),
        ("COPY a \\\n  b", vec!["a"], "b"),
        ("COPY --from=x -- --odd b", vec!["--odd"], "b"),
    ] {
        let read = copy(line);
        assert_eq!(
            (read.sources.iter().map(String::as_str).collect::<Vec<_>>(), read.dest.as_str()),
            (sources, dest),
            "{line}"
        );
    }
    let read = copy("COPY --from=build --chown=\"a b\":c --chmod=u=rwX --link --parents --exclude=*.a --exclude=b x y");
    assert_eq!(read.from.as_deref(), Some("build"));
    assert_eq!(read.chown.as_deref(), Some("a b:c"));
    assert_eq!(read.chmod.as_deref(), Some("u=rwX"));
    assert!(read.link && read.parents && read.unknown_flag.is_none());
    assert_eq!(read.exclude, ["*.a", "b"]);
    let read = copy("ADD --checksum=sha256:x --keep-git-dir --unpack=false https://x/y z");
    assert_eq!((read.add, read.checksum.as_deref(), read.unpack), (true, Some("sha256:x"), Some(false)));
    assert_eq!(copy("ADD --from=x a b").unknown_flag.as_deref(), Some("from"));
    assert!(!copy("COPY --link=false a b").link);
    let read = copy("COPY <<EOF a /x/\nz\nEOF");
    assert_eq!((read.documents, read.sources), (vec!["EOF".to_owned()], vec!["a".to_owned()]));
}

#[test]
fn env_and_arg_in_all_their_forms() {
    for (line, expected) in [
        ("ENV a=b", vec![("a", "b")]),
        ("ENV a b  c", vec![("a", "b  c")]),
        ("ENV a=b c=\"d e\" f='g h' i=j\\ k", vec![("a", "b"), ("c", "\"d e\""), ("f", "'g h'"), ("i", "j\\ k")]),
        ("ENV a= b=", vec![("a", ""), ("b", "")]),
    ] {
        let Kind::Env(pairs) = &instructions(line)[0].kind else { panic!("{line}") };
        assert_eq!(pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>(), expected, "{line}");
    }
    let Kind::Arg(args) = &instructions("ARG a b=c d=\"e f\"")[0].kind else { panic!() };
    let args: Vec<_> = args.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    assert_eq!(args, [("a", None), ("b", Some("c")), ("d", Some("\"e f\""))]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, expected) in [
        ("", "1:1: there is no FROM, so nothing to build"),
        ("RUN a", "1:1: RUN stands before the first FROM"),
        ("FROM a\nCPOY a b", "2:1: unknown instruction CPOY (did you mean COPY?)"),
        ("FROM a b", "1:1: FROM takes one argument, or three: FROM image AS name"),
        ("FROM a AS 1b", "1:1: \"1b\" is no name for a stage"),
        ("FROM a\nCOPY x", "2:1: COPY needs a source and a destination"),
        ("FROM a\nENV x", "2:1: ENV gives no value for x"),
        ("FROM a\nENV a=b c", "2:1: ENV has no `=` in \"c\""),
        ("FROM a\nENV =b", "2:1: ENV has a value without a name in \"=b\""),
        ("FROM a\nARG", "2:1: ARG needs a name"),
        ("FROM a\nWORKDIR", "2:1: WORKDIR needs a folder"),
        ("FROM a\nONBUILD FROM b", "2:1: FROM is not allowed as an ONBUILD trigger"),
        ("FROM a\nONBUILD ONBUILD RUN b", "2:1: ONBUILD is not allowed as an ONBUILD trigger"),
        ("FROM a\n\n ONBUILD CPY b", "3:2: unknown instruction CPY (did you mean COPY?)"),
    ] {
        let error = parse(text).unwrap_err();
        let hint = error.hint.as_ref().filter(|h| h.starts_with("did")).map(|h| format!(" ({h})")).unwrap_or_default();
        assert!(format!("{error}{hint}").starts_with(expected), "{text:?}: {error}{hint}");
    }
}

#[test]
fn stages_have_names_in_small_letters() {
    let dockerfile =
        parse("ARG V=1\nFROM --platform=$BUILDPLATFORM a:${V} AS Build\nFROM scratch as x.y-z_1\n").unwrap();
    assert_eq!(dockerfile.globals.len(), 1);
    let stage = &dockerfile.stages[0];
    assert_eq!(
        (stage.name.as_deref(), stage.base.as_str(), stage.platform.as_deref()),
        (Some("build"), "a:${V}", Some("$BUILDPLATFORM"))
    );
    assert_eq!(dockerfile.stages[1].name.as_deref(), Some("x.y-z_1"));
}

struct Env(HashMap<&'static str, &'static str>);

impl Variables for Env {
    fn get(&self, name: &str) -> Option<Value> {
        if name == "UNKNOWN" {
            return Some(Value::Unknown);
        }
        self.0.get(name).map(|v| Value::Known((*v).to_owned()))
    }
}

#[test]
fn words_are_expanded_as_the_builder_does() {
    let env = Env(HashMap::from([
        ("A", "a/b"),
        ("EMPTY", ""),
        ("PATHS", "one:two:one"),
        ("FILE", "foo.tar.gz"),
        ("STAR", "a*c"),
    ]));
    for (word, expected) in [
        ("plain", "plain"),
        ("$A", "a/b"),
        ("${A}x", "a/bx"),
        ("$A.x", "a/b.x"),
        ("$NONE", ""),
        ("x${NONE}y", "xy"),
        ("\\$A", "$A"),
        ("'$A'", "$A"),
        ("\"$A\"", "a/b"),
        ("\"\\$A\"", "$A"),
        ("\"a\\b\"", "a\\b"),
        ("a\\b", "ab"),
        ("\"'$A'\"", "'a/b'"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("${NONE:-d}", "d"),
        ("${NONE-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:-d}", "a/b"),
        ("${NONE:-$A}", "a/b"),
        ("${NONE:-${NONE2:-x}}", "x"),
        ("${NONE:-'}'}", "}"),
        ("${A:+y}", "y"),
        ("${A+y}", "y"),
        ("${EMPTY:+y}", ""),
        ("${EMPTY+y}", "y"),
        ("${NONE+y}", ""),
        ("${A:?no}", "a/b"),
        ("${EMPTY?no}", ""),
        ("${FILE#*.}", "tar.gz"),
        ("${FILE##*.}", "gz"),
        ("${FILE%.*}", "foo.tar"),
        ("${FILE%%.*}", "foo"),
        ("${FILE#bar}", "foo.tar.gz"),
        ("${FILE#f?o}", ".tar.gz"),
        ("${STAR#a\\*}", "c"),
        ("${PATHS/one/1}", "1:two:one"),
        ("${PATHS//one/1}", "1:two:1"),
        ("${A/\\//-}", "a-b"),
        ("${PATHS/t*o:/x}", "one:xone"),
        ("${NONE/x/y}", ""),
        ("$1", ""),
        ("$_", ""),
    ] {
        let expanded = expand(word, '\\', &env).unwrap_or_else(|e| panic!("{word}: {e}"));
        assert_eq!((expanded.text.as_str(), expanded.unknown), (expected, None), "{word}");
    }
    for (word, expected) in [
        ("${A", "unsupported modifier (})"),
        ("${A:-x", "a '}' is missing"),
        ("${", "a `}` is missing"),
        ("${}", "bad substitution"),
        ("${A:x}", "unsupported modifier (x)"),
        ("${A:}", "unsupported modifier (})"),
        ("${NONE:?}", "NONE: is not allowed to be unset"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${NONE?set it}", "NONE: set it"),
        ("'a", "a single quote is not closed"),
        ("\"a", "a double quote is not closed"),
        ("${A/x", "a '/' is missing"),
    ] {
        let error = expand(word, '\\', &env).unwrap_err();
        assert!(error.starts_with(expected), "{word}: {error}");
    }
    for word in ["$UNKNOWN", "a${UNKNOWN:-x}", "\"${UNKNOWN}\"", "${NONE:-$UNKNOWN}", "${UNKNOWN#a}"] {
        assert_eq!(expand(word, '\\', &env).unwrap().unknown.as_deref(), Some("UNKNOWN"), "{word}");
    }
    assert_eq!(expand("`$A c:\\x", '`', &env).unwrap().text, "$A c:\\x");
}

#[test]
fn expansion_has_an_end() {
    let env = Env(HashMap::from([("A", "a")]));
    for open in ["${N:-", "\"${N:-", "${N:+", "${A/", "${A#"] {
        let error = expand(&open.repeat(100_000), '\\', &env).unwrap_err();
        assert!(error.contains("nested more than 100 levels deep"), "{open}: {error}");
        split_words(&open.repeat(100_000), Quotes::Kept);
    }
    let deep = "${N:-".repeat(100) + "x" + &"}".repeat(100);
    assert_eq!(expand(&deep, '\\', &env).unwrap().text, "x");
    let long = "x".repeat(600_000);
    let env = Env(HashMap::from([("L", long.leak() as &str)]));
    assert!(expand("$L", '\\', &env).is_ok());
    for word in ["$L$L", "\"$L$L\"", "${L//x/$L}"] {
        assert!(expand(word, '\\', &env).unwrap_err().contains("longer than 1024 KiB"), "{word}");
    }
}
