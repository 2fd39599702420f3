// SPDX-License-Identifier: MIT
#pragma once

// GRADUS_API marks what a shared libgradus exports; everything else is hidden.
#if defined(GRADUS_SHARED)
#define GRADUS_API [[gnu::visibility("default")]]
#else
#define GRADUS_API
#endif
