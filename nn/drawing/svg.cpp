// SPDX-License-Identifier: MIT
#include <gradus/nn/drawing/svg.hpp>

namespace gradus::detail {
namespace {

// Plain colours instead of CSS variables, because converters to other formats do not know those.
constexpr const char* kStyle = R"(<style>
.paper{fill:#fff}
text{fill:#1f2328;font-family:system-ui,sans-serif}
.faint{fill:#59636e}
.m{text-anchor:middle}
.e{text-anchor:end}
.cross{stroke:#1f2328;stroke-width:1.5;fill:none}
.nan{stroke:#c4281c}
@media (prefers-color-scheme:dark){
.paper{fill:#12161c}
text{fill:#e8edf2}
.faint{fill:#a0abb8}
.cross{stroke:#e8edf2}
.nan{stroke:#ff7a6b}
}
</style>
)";

std::string rounded(double value) { return scale_text(value, 6); }

}  // namespace

// The text for XML 1.0, which has no word for control characters; symbols have none left.
std::string for_xml(const std::string& text) {
  std::string out;
  for (const char each : text) {
    switch (each) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += each;
    }
  }
  return out;
}

std::string xml_attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + value + "\"";
}

std::string svg_text(const PictureText& text) {
  std::string kind = text.faint ? "faint" : "";
  if (text.anchor != Anchor::start) {
    kind += std::string(kind.empty() ? "" : " ") + (text.anchor == Anchor::middle ? "m" : "e");
  }
  std::string out = "<text" + xml_attribute("x", rounded(text.x)) + xml_attribute("y", rounded(text.y));
  if (text.size != 14) out += xml_attribute("font-size", std::to_string(text.size));
  if (!kind.empty()) out += xml_attribute("class", kind);
  if (text.bold) out += xml_attribute("font-weight", "600");
  if (text.upwards) {
    out += xml_attribute("transform", "rotate(-90 " + rounded(text.x) + " " + rounded(text.y) + ")");
  }
  return out + ">" + for_xml(text.text) + "</text>\n";
}

std::string svg_head(int width, int height, const std::string& title) {
  const std::string w = std::to_string(width), h = std::to_string(height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\"" + xml_attribute("width", w) + xml_attribute("height", h) +
         xml_attribute("viewBox", "0 0 " + w + " " + h) + " font-size=\"14\" role=\"img\">\n<title>" + for_xml(title) +
         "</title>\n" + kStyle + "<rect class=\"paper\"" + xml_attribute("width", w) + xml_attribute("height", h) +
         "/>\n";
}

}  // namespace gradus::detail
