#include "lang/vocab/format.h"

const char *feed_format_name(enum feed_format f)
{
	static const char *const names[FORMAT_COUNT] = {
#define FORMAT(id, name, argument, about) [FORMAT_##id] = name,
#include "lang/vocab/format.def"
#undef FORMAT
	};

	return names[f];
}
