// SPDX-License-Identifier: MIT
// AttentionMap: pictures of attention weights, as text, SVG and PNG.
#pragma once

#include <string>
#include <vector>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// One map: a row for each symbol of the target, a column for each symbol of the source.
struct MapPanel {
  std::string name = {};                 ///< above the panel, such as "layer 1, head 2"
  Tensor weights = {};                   ///< [Tq, Tk], f32 or f64
  std::vector<std::string> source = {};  ///< Tk symbols, UTF-8; none: those of the options
  std::vector<std::string> target = {};  ///< Tq symbols
};

struct AttentionMapOptions {
  std::string title = {};
  /// The symbols of the columns, Tk UTF-8 texts, and those of the rows, Tq. None: the numbers 1, 2, ... Symbols of a
  /// script from right to left stay in their logical order, first symbol at the left, and the map says so.
  std::vector<std::string> source = {};
  std::vector<std::string> target = {};
  std::string source_name = "source";
  std::string target_name = "target";
  /// The ends of the colour scale, which all panels share. A weight beyond them by more than rounding, and one that is
  /// NaN, has no colour: it is marked, and the legend counts it.
  double low = 0.0;
  double high = 1.0;
  int64_t panels_in_row = 0;  ///< 0: the heads of a layer, or at most 4 panels of a list
};

enum class MapColour : uint8_t {
  none,     ///< blocks of four shades
  indexed,  ///< coloured cells, by the 256 colours of a terminal
  full,     ///< coloured cells, 24 bits
};

struct TextMapOptions {
  MapColour colour = MapColour::none;
  int64_t width =
      80;  ///< of the terminal; panels stand side by side as far as they fit; 0: no limit, one below another
};

struct SvgMapOptions {
  /// A weight with three digits under the mouse. Without them a file is a third as large, and has 65 shades.
  bool tips = true;
};

/// Weights with their labels, ready to be drawn. Pictures have at most 40,000 cells.
class GRADUS_API AttentionMap {
 public:
  AttentionMap(std::vector<MapPanel> panels, AttentionMapOptions options);

  /// Lines for a terminal. A panel that is wider than the terminal is replaced by a sentence.
  std::string text(const TextMapOptions& options = {}) const;
  /// A picture that needs no other file, and follows the viewer's light or dark scheme.
  std::string svg(const SvgMapOptions& options = {}) const;
  /// The bytes of a PNG file, `scale` pixels for each of the SVG's. Throws unless writes_png().
  std::string png(double scale = 2.0) const;
  /// True when gradus was built with GRADUS_PNG=ON.
  static bool writes_png() noexcept;
  /// Writes svg(), png() or text(), by the end of the name: .svg, .png or .txt. A file at `path` is replaced in one
  /// step, or stays as it was. Throws with the system's reason.
  void save(const std::string& path) const;

  const std::vector<MapPanel>& panels() const noexcept { return panels_; }
  const AttentionMapOptions& options() const noexcept { return options_; }

 private:
  std::vector<MapPanel> panels_;  // weights are contiguous f64, and every panel has its labels, as they are shown
  AttentionMapOptions options_;
};

/// Maps of weights [Tq, Tk], [heads, Tq, Tk] or [layers, heads, Tq, Tk], a panel for each head and layer. Weights with
/// a batch are drawn item by item: `attention_map(weights.select(0, item))`.
GRADUS_API AttentionMap attention_map(const Tensor& weights, const AttentionMapOptions& options = {});
/// Maps of any sizes with names.
GRADUS_API AttentionMap attention_map(const std::vector<MapPanel>& panels, const AttentionMapOptions& options = {});

/// The symbols of a UTF-8 text for the axis of a map: each with the combining marks that follow it (Unicode Standard
/// Annex 29, extended grapheme clusters, without its rules for conjuncts).
GRADUS_API std::vector<std::string> grapheme_clusters(const std::string& text);
/// The same for a model of code points: each alone. A combining mark is shown on a dotted circle.
GRADUS_API std::vector<std::string> code_points(const std::string& text);

}  // namespace gradus
