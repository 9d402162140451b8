//! Environment variables and parameter values: their references are looked up, those to other variables followed, and
//! circles refused.

use std::collections::BTreeMap;

use super::limits;
use super::model::{Part, Template};
use super::problem::{Code, Problem, Span};
use super::reader::File;
use super::template::{Draft, Names, Piece, Target, append, length, look_up};

/// Service and environment variable.
pub(super) type Variable = (String, String);

/// All environment variables of a file, resolved; those that could not be are missing, and told.
#[derive(Debug, Default)]
pub(super) struct Resolved(BTreeMap<Variable, Template>);

/// A variable on the way to being resolved.
struct Node {
    name: Variable,
    draft: Draft,
    /// What its references name, in the draft's order; `None` where that is nothing.
    targets: Vec<(Option<Target>, Span)>,
}

impl Node {
    fn key(&self) -> String {
        format!("services.{}.environment.{}", self.name.0, self.name.1)
    }

    /// Variables that this one refers to, and where.
    fn needs(&self) -> impl Iterator<Item = (Variable, Span)> {
        self.targets.iter().filter_map(|(target, span)| match target {
            Some(Target::Variable { service, variable }) => Some(((service.clone(), variable.clone()), span.clone())),
            _ => None,
        })
    }
}

/// Resolves the environment variables of all services.
pub(super) fn resolve(file: &File<'_>, names: &Names, drafts: Vec<(Variable, Draft)>) -> Resolved {
    let nodes: Vec<Node> =
        drafts.into_iter().map(|(name, draft)| Node { targets: targets(file, names, &draft), name, draft }).collect();
    let mut resolved = Resolved::default();
    for index in order(file, &nodes) {
        let node = &nodes[index];
        misplaced_secrets(file, node);
        if let Some(template) = resolved.fill(&node.draft, &node.targets) {
            if length(&template) > limits::TASK_DEFINITION {
                too_long(file, node);
            } else {
                resolved.0.insert(node.name.clone(), template);
            }
        }
    }
    resolved
}

fn targets(file: &File<'_>, names: &Names, draft: &Draft) -> Vec<(Option<Target>, Span)> {
    let references = draft.pieces.iter().filter_map(|piece| match piece {
        Piece::Reference(reference) => Some(reference),
        Piece::Text(_) => None,
    });
    references.map(|reference| (look_up(file, names, reference), reference.span.clone())).collect()
}

impl Resolved {
    /// A variable's value.
    pub(super) fn get(&self, service: &str, variable: &str) -> Option<&Template> {
        self.0.get(&(service.to_owned(), variable.to_owned()))
    }

    /// The value that skydeck writes into a parameter; load balancers do not exist when it does.
    pub(super) fn parameter(&self, file: &File<'_>, names: &Names, draft: &Draft) -> Option<Template> {
        let targets = targets(file, names, draft);
        for (target, span) in &targets {
            if let Some(Target::Secret(_)) = target {
                misplaced(
                    file,
                    span,
                    "a secret's value is not skydeck's to read",
                    "refer to a bucket, or write a text",
                );
            }
        }
        let template = self.fill(draft, &targets)?;
        if template.0.iter().any(|part| matches!(part, Part::LoadBalancerUrl(_) | Part::ServiceUrl(_))) {
            let help = "put it into the `environment` of the service that needs it";
            misplaced(file, &draft.span, "parameters are written before there are load balancers", help);
        }
        if !(1..=limits::PARAMETER_VALUE).contains(&length(&template)) {
            let message = format!("a parameter's value has 1 to {} bytes", limits::PARAMETER_VALUE);
            let help = "write a text or a reference; leave `value` out where a person gives the value";
            file.tell(Problem::new(Code::WrongCount, message).at(draft.span.clone(), "here").help(help));
        }
        Some(template)
    }

    /// Puts a text together. `None` where a reference has no value, which was told where that is so. What is far too
    /// long already is not made longer: variables may double each other up.
    fn fill(&self, draft: &Draft, targets: &[(Option<Target>, Span)]) -> Option<Template> {
        let (mut parts, mut targets, mut copied) = (Vec::new(), targets.iter(), 0);
        for piece in &draft.pieces {
            match piece {
                Piece::Text(text) => append(&mut parts, Part::Text(text.clone())),
                Piece::Reference(_) => match targets.next()?.0.as_ref()? {
                    Target::Text(text) => append(&mut parts, Part::Text(text.clone())),
                    Target::Part(part) => append(&mut parts, part.clone()),
                    Target::Variable { service, variable } => {
                        let value = self.get(service, variable)?;
                        copied += length(value);
                        if copied <= 2 * limits::TASK_DEFINITION {
                            value.0.iter().for_each(|part| append(&mut parts, part.clone()));
                        }
                    }
                    Target::Secret(_) => return None,
                },
            }
        }
        Some(Template(parts))
    }
}

/// How far the walk through the references has come with a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Never,
    Open,
    Done,
}

/// An order in which every variable comes after those that it refers to. Each circle is told; its variables come in
/// some order. The path is a list, not the call stack, for a file may chain as many variables as it likes.
fn order(file: &File<'_>, nodes: &[Node]) -> Vec<usize> {
    let index: BTreeMap<&Variable, usize> = nodes.iter().enumerate().map(|(at, node)| (&node.name, at)).collect();
    let needs: Vec<Vec<(usize, Span)>> = nodes
        .iter()
        .map(|node| node.needs().filter_map(|(name, span)| Some((*index.get(&name)?, span))).collect())
        .collect();
    let (mut visits, mut order) = (vec![Visit::Never; nodes.len()], Vec::new());
    for start in 0..nodes.len() {
        let mut path: Vec<(usize, usize)> = Vec::new();
        if visits[start] == Visit::Never {
            visits[start] = Visit::Open;
            path.push((start, 0));
        }
        while let Some((at, next)) = path.last_mut() {
            let Some((needed, _)) = needs[*at].get(*next) else {
                visits[*at] = Visit::Done;
                order.push(*at);
                path.pop();
                continue;
            };
            *next += 1;
            match visits[*needed] {
                Visit::Never => {
                    visits[*needed] = Visit::Open;
                    path.push((*needed, 0));
                }
                Visit::Open => cycle(file, nodes, &needs, &path, *needed),
                Visit::Done => {}
            }
        }
    }
    order
}

/// Tells a circle: the end of the path, from the variable that is needed again.
fn cycle(file: &File<'_>, nodes: &[Node], needs: &[Vec<(usize, Span)>], path: &[(usize, usize)], again: usize) {
    let start = path.iter().position(|(at, _)| *at == again).unwrap_or(0);
    let first = &nodes[again];
    let message = match path.len() - start {
        1 => format!("`{}` refers to itself", first.key()),
        2 => format!("`{}` refers to itself by way of another", first.key()),
        more => format!("`{}` refers to itself by way of {} others", first.key(), more - 1),
    };
    let mut problem = Problem::new(Code::ReferenceCycle, message);
    for (step, (at, next)) in path[start..].iter().enumerate() {
        let (needed, span) = &needs[*at][*next - 1];
        problem =
            problem.at(span.clone(), format!("{}. `{}` needs `{}`", step + 1, nodes[*at].key(), nodes[*needed].key()));
    }
    file.tell(problem.help("write the value itself in one of these places"));
}

fn misplaced_secrets(file: &File<'_>, node: &Node) {
    for (target, span) in &node.targets {
        if let Some(Target::Secret(secret)) = target {
            let (service, variable) = &node.name;
            let help = format!("move it to `[services.{service}.secrets]`: {variable} = \"${{secrets.{secret}}}\"");
            misplaced(
                file,
                span,
                "a secret's value does not belong into `environment`, where everybody reads it",
                &help,
            );
        }
    }
}

fn misplaced(file: &File<'_>, span: &Span, what: &str, help: &str) {
    file.tell(Problem::new(Code::MisplacedReference, what).at(span.clone(), "not here").help(help));
}

fn too_long(file: &File<'_>, node: &Node) {
    let message = format!("`{}` is longer than the {} bytes of a task definition", node.key(), limits::TASK_DEFINITION);
    let problem = Problem::new(Code::WrongCount, message).at(node.draft.span.clone(), "with its references filled in");
    file.tell(problem.help("let the service read so much from a bucket"));
}
