// SPDX-License-Identifier: MIT
// The version, and the mark of what a shared library exports.
#pragma once

// GRADUS_API marks what a shared libgradus exports. Everything else is hidden.
#if defined(GRADUS_SHARED)
#define GRADUS_API [[gnu::visibility("default")]]
#else
#define GRADUS_API
#endif

#define GRADUS_VERSION_MAJOR 0
#define GRADUS_VERSION_MINOR 1
#define GRADUS_VERSION_PATCH 0
#define GRADUS_VERSION "0.1.0"
