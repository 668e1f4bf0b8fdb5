//! No two files under `src` import each other, directly or through other files.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::imports::{Imports, Module};

/// The circles: modules that reach themselves.
fn in_circles(graph: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reach = |from: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            for other in graph.get(&module).into_iter().flatten() {
                if seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, _> = graph
        .keys()
        .map(|module| (*module, reach(module)))
        .collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        if others.contains(*module) {
            let both = others.iter().filter(|other| {
                reached
                    .get(other)
                    .is_some_and(|back| back.contains(*module))
            });
            circles.insert(both.cloned().collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

#[test]
fn no_files_import_each_other() {
    let imports = Imports::read();
    let graph = imports.0.keys();
    let graph = graph.map(|module| (module, imports.used_by(module, false)));
    let name = |module: &Module| imports.0[module].path.display().to_string();
    let circles: Vec<Vec<String>> = in_circles(&graph.collect())
        .iter()
        .map(|circle| circle.iter().map(name).collect())
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn a_circle_of_three_is_found_and_a_line_is_not() {
    let module = |name: &str| vec![name.to_owned()];
    let names = ["a", "b", "c", "d"].map(module);
    let graph = [(0, 1), (1, 2), (2, 0), (3, 0)]
        .map(|(from, to): (usize, usize)| (&names[from], BTreeSet::from([names[to].clone()])));
    assert_eq!(in_circles(&graph.into()), [names[..3].to_vec()]);
}
