//! The little XML that the sandbox reads (ministack's answers) and writes (Auto Scaling's).

use quick_xml::Reader;
use quick_xml::events::Event;

/// Text that may stand in an element.
pub(crate) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// An element with its text and children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The document's root; whatever is not well-formed ends it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    open.push(Self { name, ..Self::default() });
                }
                Event::Empty(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    open.last_mut()?.children.push(Self { name, ..Self::default() });
                }
                Event::End(_) => {
                    let mut done = open.pop()?;
                    done.text = done.text.trim().to_owned();
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(reference) => {
                    open.last_mut()?
                        .text
                        .push_str(quick_xml::escape::resolve_predefined_entity(&reference).unwrap_or("?"));
                }
                Event::Eof => break,
                _ => {}
            }
        }
        open.pop()?.children.into_iter().next()
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element of that name at any depth.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }

    /// The text of a child.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// Its name, without a namespace.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text of this one.
    pub(crate) fn own_text(&self) -> &str {
        &self.text
    }

    /// All children, such as the members of a list.
    pub(crate) fn children(&self) -> &[Self] {
        &self.children
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_elements_are_found() {
        let root = Element::parse("<?xml version=\"1.0\"?><a xmlns='x'><b><item><c>1 &lt; 2</c></item><item/></b></a>");
        let root = root.unwrap();
        let list = root.find("b").unwrap();
        assert_eq!(list.children().len(), 2);
        assert_eq!(list.children()[0].text("c"), Some("1 < 2"));
    }
}
