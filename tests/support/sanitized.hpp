// SPDX-License-Identifier: MIT
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRADUS_TESTS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GRADUS_TESTS_SANITIZED 1
#endif
#endif

namespace gradus::tests {

/// Whether this is a build with sanitizers.
#ifdef GRADUS_TESTS_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace gradus::tests
