// SPDX-License-Identifier: MIT
#include <cmath>

#include <gradus/nn/drawing/picture.hpp>

#ifdef GRADUS_PNG
#include <pango/pangocairo.h>
#endif

namespace gradus {

#ifdef GRADUS_PNG
namespace {

constexpr detail::Colour kPaper = {255, 255, 255}, kInk = {31, 35, 40}, kFaintInk = {89, 99, 110},
                         kNanRed = {196, 40, 28};

// Owns what cairo and pango made.
template <class T, void (*release)(T*)>
class Held {
 public:
  explicit Held(T* object) : object_(object) {}
  ~Held() { release(object_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  T* get() const noexcept { return object_; }

 private:
  T* object_;
};

void release_layout(PangoLayout* layout) { g_object_unref(layout); }

using Surface = Held<cairo_surface_t, cairo_surface_destroy>;
using Canvas = Held<cairo_t, cairo_destroy>;
using TextLayout = Held<PangoLayout, release_layout>;
using Font = Held<PangoFontDescription, pango_font_description_free>;

void choose(cairo_t* canvas, const detail::Colour& colour) {
  cairo_set_source_rgb(canvas, colour.red / 255.0, colour.green / 255.0, colour.blue / 255.0);
}

void draw_cell(cairo_t* canvas, const detail::PictureCell& cell) {
  if (cell.weight.state == detail::CellState::inside) {
    choose(canvas, detail::colour_of(cell.weight.part));
    cairo_rectangle(canvas, cell.x, cell.y, cell.width, cell.height);
    cairo_fill(canvas);
    return;
  }
  choose(canvas, cell.weight.state == detail::CellState::not_a_number ? kNanRed : kInk);
  cairo_set_line_width(canvas, 1.5);
  cairo_move_to(canvas, cell.x + 4, cell.y + 4);
  cairo_rel_line_to(canvas, cell.width - 8, cell.height - 8);
  cairo_move_to(canvas, cell.x + 4, cell.y + cell.height - 4);
  cairo_rel_line_to(canvas, cell.width - 8, 8 - cell.height);
  cairo_stroke(canvas);
}

void draw_text(cairo_t* canvas, const detail::PictureText& text) {
  const TextLayout layout(pango_cairo_create_layout(canvas));
  const Font font(pango_font_description_from_string("sans-serif"));
  pango_font_description_set_absolute_size(font.get(), text.size * PANGO_SCALE);
  if (text.bold) pango_font_description_set_weight(font.get(), PANGO_WEIGHT_SEMIBOLD);
  pango_layout_set_font_description(layout.get(), font.get());
  pango_layout_set_auto_dir(layout.get(), FALSE);
  pango_layout_set_single_paragraph_mode(layout.get(), TRUE);
  pango_layout_set_text(layout.get(), text.text.data(), static_cast<int>(text.text.size()));
  int width = 0;
  pango_layout_get_size(layout.get(), &width, nullptr);
  const double drawn = static_cast<double>(width) / PANGO_SCALE;
  const double base = static_cast<double>(pango_layout_get_baseline(layout.get())) / PANGO_SCALE;
  const double back = text.anchor == detail::Anchor::start ? 0.0
                      : text.anchor == detail::Anchor::end ? drawn
                                                           : drawn / 2;
  choose(canvas, text.faint ? kFaintInk : kInk);
  cairo_save(canvas);
  cairo_translate(canvas, text.x, text.y);
  if (text.upwards) cairo_rotate(canvas, -M_PI / 2);
  cairo_move_to(canvas, -back, -base);
  pango_cairo_show_layout(canvas, layout.get());
  cairo_restore(canvas);
}

cairo_status_t append_bytes(void* to, const unsigned char* data, unsigned int count) {
  static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(data), count);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

bool AttentionMap::writes_png() noexcept { return true; }

std::string AttentionMap::png(double scale) const {
  constexpr double kMostPixels = 16'000.0;  // of a side
  const detail::Picture picture = detail::picture_of(*this);
  const double width = std::ceil(picture.width * scale), height = std::ceil(picture.height * scale);
  GRADUS_CHECK(scale > 0.0 && width <= kMostPixels && height <= kMostPixels,
               "[attention_map] expected a scale > 0 that gives at most ", kMostPixels, " pixels a side, got ", scale,
               " for a picture of ", picture.width, " x ", picture.height);
  const Surface surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width), static_cast<int>(height)));
  const Canvas canvas(cairo_create(surface.get()));
  choose(canvas.get(), kPaper);
  cairo_paint(canvas.get());
  cairo_scale(canvas.get(), scale, scale);
  for (const detail::PictureCell& cell : picture.cells) {
    const bool filled = cell.weight.state == detail::CellState::inside;
    cairo_set_antialias(canvas.get(), filled ? CAIRO_ANTIALIAS_NONE : CAIRO_ANTIALIAS_DEFAULT);
    draw_cell(canvas.get(), cell);
  }
  cairo_set_antialias(canvas.get(), CAIRO_ANTIALIAS_DEFAULT);
  for (const detail::PictureText& text : picture.texts) draw_text(canvas.get(), text);
  std::string bytes;
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface.get(), append_bytes, &bytes);
  if (status != CAIRO_STATUS_SUCCESS || cairo_status(canvas.get()) != CAIRO_STATUS_SUCCESS) {
    throw std::runtime_error(std::string("[attention_map] cairo cannot write the PNG: ") +
                             cairo_status_to_string(status));
  }
  return bytes;
}

#else

bool AttentionMap::writes_png() noexcept { return false; }

std::string AttentionMap::png(double) const {
  GRADUS_CHECK(writes_png(),
               "[attention_map] this gradus was built without PNG: install libpango1.0-dev, and configure ",
               "with -DGRADUS_PNG=ON");
  return {};
}

#endif

}  // namespace gradus
