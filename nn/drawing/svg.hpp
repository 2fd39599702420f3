// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/nn/drawing/picture.hpp>

// The parts of an SVG file.

namespace gradus::detail {

/// From <svg> to the paper behind everything, with the styles of texts. It follows the viewer's light or dark scheme.
std::string svg_head(int width, int height, const std::string& title);
std::string svg_text(const PictureText& text);
/// ` name="value"`; the value is written as it is.
std::string xml_attribute(const char* name, const std::string& value);
/// Text between tags or in an attribute.
std::string for_xml(const std::string& text);

}  // namespace gradus::detail
