/* join - bytes in the classes that two automata tell apart together. */
#include "compiler/audit/payload/reading.h"

void payload_join(struct payload_joined *out, const uint8_t *class_of, const uint8_t *other)
{
	out->count = 0;
	for (unsigned b = 0; b < 256; b++) {
		unsigned i = 0;

		while (i < out->count && (out->parts[i][0] != class_of[b] || out->parts[i][1] != other[b]))
			i++;
		if (i == out->count) {
			out->parts[i][0] = class_of[b];
			out->parts[i][1] = other[b];
			out->count++;
		}
		out->of[b] = (uint8_t)i;
	}
}
