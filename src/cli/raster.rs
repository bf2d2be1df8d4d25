//! SVG to PNG, with resvg and the fonts of this machine.

use std::sync::Arc;

use resvg::{tiny_skia, usvg};

use crate::error::{Error, ErrorKind, Result};

/// Pixels for each unit of a drawing: 288 dots per inch, as a journal asks for.
const SCALE: f32 = 3.0;

/// The fonts to draw with.
pub(super) struct Fonts(usvg::Options<'static>);

impl Fonts {
    /// The fonts of this machine.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if there is none: pictures would lack their figures.
    pub(super) fn of_system() -> Result<Fonts> {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_system_fonts();
        Fonts::of(fonts)
    }

    fn of(mut fonts: usvg::fontdb::Database) -> Result<Fonts> {
        // A generic family may name a font that this machine lacks: then any that it has is better than no text.
        let generic = fonts.query(&usvg::fontdb::Query {
            families: &[usvg::fontdb::Family::SansSerif],
            ..usvg::fontdb::Query::default()
        });
        let family = generic.and_then(|id| family(&fonts, id));
        let family = family.or_else(|| fonts.faces().find_map(|face| family_of(face, "Sans")));
        let family = family.or_else(|| fonts.faces().find_map(|face| family_of(face, "")));
        let Some(family) = family else {
            return Err(Error::new(ErrorKind::Io, "cannot draw PNG: no font is installed")
                .hint("install one (Debian: fonts-dejavu-core), or take `--svg DIR`"));
        };
        fonts.set_sans_serif_family(&family);
        Ok(Fonts(usvg::Options { font_family: family, fontdb: Arc::new(fonts), ..usvg::Options::default() }))
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// [`ErrorKind::Data`] if the drawing is no SVG.
    pub(super) fn png(&self, svg: &str) -> Result<Vec<u8>> {
        let unusable = |error: String| Error::new(ErrorKind::Data, format!("cannot draw a picture: {error}"));
        let tree = usvg::Tree::from_str(svg, &self.0).map_err(|error| unusable(error.to_string()))?;
        let size = tree.size().to_int_size().scale_by(SCALE);
        let pixels = size.and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()));
        let mut pixels = pixels.ok_or_else(|| unusable("it has no size".to_string()))?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| unusable(error.to_string()))
    }
}

fn family(fonts: &usvg::fontdb::Database, id: usvg::fontdb::ID) -> Option<String> {
    family_of(fonts.face(id)?, "")
}

/// The family of a face, if `part` is in its name.
fn family_of(face: &usvg::fontdb::FaceInfo, part: &str) -> Option<String> {
    face.families.first().map(|(name, _)| name.clone()).filter(|name| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dark pixels of a drawing with `text` in it.
    fn dark(fonts: &Fonts, text: &str) -> usize {
        let style = "<style>.paper{fill:#fff}text{font:12px system-ui,sans-serif;fill:#000}</style>";
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 90 20\" width=\"90\" height=\"20\">{style}\
             <rect class=\"paper\" width=\"90\" height=\"20\"/><text x=\"2\" y=\"15\">{text}</text></svg>"
        );
        let pixels = tiny_skia::Pixmap::decode_png(&fonts.png(&svg).unwrap()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (270, 60));
        pixels.pixels().iter().filter(|pixel| pixel.red() < 128 && pixel.alpha() == 255).count()
    }

    #[test]
    fn text_is_drawn_in_the_picture() {
        let fonts = match Fonts::of_system() {
            Ok(fonts) => fonts,
            // A machine without fonts has the error that says so, and nothing to draw with.
            Err(error) => return assert!(error.render().contains("no font is installed"), "{error}"),
        };
        assert_eq!(dark(&fonts, ""), 0);
        assert!(dark(&fonts, "370 MB") > 100);
    }

    #[test]
    fn a_machine_without_fonts_gets_an_error_and_not_a_picture_without_figures() {
        let error = Fonts::of(usvg::fontdb::Database::new()).err().unwrap();
        assert!(error.render().contains("fonts-dejavu-core"), "{}", error.render());
    }
}
