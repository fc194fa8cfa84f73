//! The figures as a picture: how each grows with what is in the directory, beside its floor and its goal.

use std::fmt::Write as _;

use crate::figures::{Figure, names};
use crate::populate::Size;

/// Panels beside each other.
const COLUMNS: usize = 3;

/// The size of a panel, in pixels.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 190.0;

/// What a panel leaves free round its curves.
const LEFT: f64 = 48.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 30.0;

const STYLE: &str = "text{font:11px sans-serif;fill:#444}.title{font-weight:bold;fill:#111}polyline{fill:none;\
                     stroke-width:2}.value{stroke:#0b62c4}.floor{stroke:#999}.goal{stroke:#c4590b;stroke-width:1;\
                     stroke-dasharray:5 4}.axis{stroke:#ccc}";

/// Draws one panel for each figure that was taken at several sizes.
pub(crate) fn svg(figures: &[Figure]) -> String {
    let panels: Vec<Vec<&Figure>> = names(figures)
        .into_iter()
        .map(|name| figures.iter().filter(|figure| figure.name == name).collect::<Vec<_>>())
        .filter(|panel| panel.len() > 1)
        .collect();
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * number(COLUMNS), HEIGHT * number(rows) + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\">\n<style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"20\">Each by the number of claims in the directory: \
         <tspan fill=\"#0b62c4\">measured</tspan>, <tspan fill=\"#777\">floor</tspan>, \
         <tspan fill=\"#c4590b\">goal</tspan></text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let (column, row) = (number(index % COLUMNS), number(index / COLUMNS));
        writeln!(svg, "<g transform=\"translate({} {})\">", column * WIDTH, row * HEIGHT + 30.0).unwrap();
        draw(&mut svg, panel);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, panel: &[&Figure]) {
    let first = panel[0];
    let all = panel.iter().flat_map(|figure| [Some(figure.value), figure.floor, figure.limit()]);
    let top = all.flatten().filter(|value| value.is_finite()).fold(0.0, f64::max) * 1.1;
    let inner = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let x = |size: Size| LEFT + inner.0 * (size.claims().log10() - 1.0) / 3.0;
    let y = |value: f64| TOP + inner.1 * (1.0 - value / top);
    let curve = |class: &str, of: &dyn Fn(&Figure) -> Option<f64>| {
        let points: Vec<String> = panel
            .iter()
            .filter_map(|figure| {
                Some(format!("{:.1},{:.1}", x(figure.size), y(of(figure).filter(|it| it.is_finite())?)))
            })
            .collect();
        format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" "))
    };
    let name: String = first.name.replace('`', "").replace('&', "&amp;").replace('<', "&lt;");
    writeln!(svg, "<text class=\"title\" x=\"16\" y=\"22\">{name}, {}</text>", first.unit).unwrap();
    for value in [0.0, top / 2.2, top / 1.1] {
        let (at, digits) = (y(value), if top < 1.0 { 3 } else { 1 });
        writeln!(svg, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", WIDTH - RIGHT)
            .unwrap();
        writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.digits$}</text>", LEFT - 6.0, at + 4.0)
            .unwrap();
    }
    for size in Size::ALL {
        let (at, below) = (x(size), HEIGHT - BOTTOM + 16.0);
        writeln!(svg, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{size}</text>").unwrap();
    }
    svg.push_str(&curve("goal", &Figure::limit));
    svg.push_str(&curve("floor", &|figure| figure.floor));
    svg.push_str(&curve("value", &|figure| Some(figure.value)));
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
