// SPDX-License-Identifier: Apache-2.0
#include "script/values/page.h"

#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "script/core.h"
#include "script/values/fits.h"

#define READER  "moonpool.page.reader" // a metatable
#define KEPT    "moonpool.page.kept"   // the reader for all who read
#define PRESIZE 65536                  // rows of a table made at once; more grow with what really is there

// Its environment is the shape's table, which keeps the shape.
struct reader;
struct page {
	const void *mark;
	const struct mp_shape *shape;
	struct reader *reader; // the one that is kept
	uint32_t rows;
	uint32_t bytes;
	uint32_t row_at[]; // `rows` of them, then the bytes
};

static const char mark;

static const uint8_t *bytes_of(const struct page *page)
{
	return (const uint8_t *)&page->row_at[page->rows];
}

// ---- keeping ----------------------------------------------------------------------------------------------

// The next row's values, skipped, or NULL: it is not whole, or one of them is none of its type. It meets every value of
// every page, so it does what mp_cursor_bytes() does without a call.
static inline const uint8_t *skip_row(const struct mp_shape *shape, const uint8_t *at, const uint8_t *end)
{
	for (uint32_t i = 0; i < shape->count; i++) {
		uint32_t bits;
		if (MP_UNLIKELY(end - at < (ptrdiff_t)sizeof(bits)))
			return NULL;
		memcpy(&bits, at, sizeof(bits));
		at += sizeof(bits);
		struct mp_bytes value = {at, (int32_t)__builtin_bswap32(bits)};
		if (value.len <= 0)
			continue;
		if (MP_UNLIKELY(value.len > end - at))
			return NULL;
		at += value.len;
		int32_t width = shape->columns[i].width;
		if (value.len == width || width == MP_FITS_ANY)
			continue;
		if (width != MP_FITS_ASK || !mp_value_fits(shape->metadata->columns[i].type, value))
			return NULL;
	}
	return at;
}

static bool find_rows(const struct mp_shape *shape, const struct mp_cursor *rows, struct page *page)
{
	const uint8_t *at = rows->pos;
	for (uint32_t i = 0; i < page->rows; i++) {
		page->row_at[i] = (uint32_t)(at - rows->pos);
		at = skip_row(shape, at, rows->end);
		if (MP_UNLIKELY(at == NULL))
			return false;
	}
	page->bytes = (uint32_t)(at - rows->pos);
	return true;
}

bool mp_page_push(lua_State *L, struct mp_shape *shape, int names, const struct mp_result_body *body)
{
	size_t left = mp_cursor_left(&body->rows);
	// A value has four bytes at least, so what a node claims does not ask for more memory than it sent.
	if (body->row_count < MP_PAGE_ROWS || shape->count == 0 || left > INT32_MAX ||
	    body->row_count > left / 4 / shape->count)
		return false;
	size_t size = sizeof(struct page) + body->row_count * sizeof(uint32_t) + left;
	struct page *page = lua_newuserdata(L, size);
	lua_getfield(L, LUA_REGISTRYINDEX, KEPT);
	*page = (struct page){&mark, shape, lua_touserdata(L, -1), 0, 0};
	lua_pop(L, 1);
	page->rows = body->row_count;
	if (!find_rows(shape, &body->rows, page)) {
		lua_pop(L, 1);
		return false;
	}
	memcpy(&page->row_at[page->rows], body->rows.pos, page->bytes);
	mp_shape_keep(L, shape, names);
	lua_pushvalue(L, names);
	lua_setfenv(L, -2);
	return true;
}

// ---- reading ----------------------------------------------------------------------------------------------

bool mp_page_of(lua_State *L, int result, uint32_t *rows)
{
	lua_pushliteral(L, "_page");
	lua_rawget(L, result);
	const struct page *page = lua_touserdata(L, -1);
	if (page == NULL) {
		lua_pop(L, 1);
		return false;
	}
	*rows = page->rows;
	return true;
}

// What decoders need. Kept for the next reader, unless an error left it: a finalizer that reads another page may come
// in between, and gets one of its own.
struct reader {
	struct mp_codec codec;
	bool busy;
};

static struct reader *make_reader(lua_State *L)
{
	struct reader *reader = lua_newuserdata(L, sizeof(*reader));
	memset(reader, 0, sizeof(*reader));
	mp_buf_init(&reader->codec.scratch);
	luaL_getmetatable(L, READER);
	lua_setmetatable(L, -2);
	return reader;
}

static struct reader *push_reader(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, KEPT);
	struct reader *reader = lua_touserdata(L, -1);
	if (MP_UNLIKELY(reader->busy)) {
		lua_pop(L, 1);
		reader = make_reader(L);
	}
	reader->busy = true;
	return reader;
}

static int reader_gc(lua_State *L)
{
	struct reader *reader = lua_touserdata(L, 1);
	mp_buf_deinit(&reader->codec.scratch);
	return 0;
}

// The values of a row, which is sound, onto the stack.
static void push_values(lua_State *L, struct reader *reader, const struct page *page, uint32_t row)
{
	const struct mp_shape *shape = page->shape;
	const struct mp_column *columns = shape->metadata->columns;
	const uint8_t *at = bytes_of(page) + page->row_at[row - 1];
	for (uint32_t i = 0; i < shape->count; i++) {
		uint32_t len;
		memcpy(&len, at, sizeof(len));
		struct mp_bytes value = {at + sizeof(len), (int32_t)__builtin_bswap32(len)};
		at = value.len > 0 ? value.data + value.len : value.data;
		if (MP_UNLIKELY(value.len < 0))
			lua_pushnil(L);
		else if (MP_UNLIKELY(shape->columns[i].push(L, &reader->codec, columns[i].type, value) != 0))
			luaL_error(L, "a row that was sound cannot be read: %s", reader->codec.why);
	}
}

// Into a table, by the shape's constructor, or one by one when it has none. The shape's table is at `names`, the
// constructor behind it.
static void read_row(lua_State *L, struct reader *reader, const struct page *page, int names, uint32_t row)
{
	if (MP_LIKELY(!lua_isnil(L, names + 1))) {
		lua_pushvalue(L, names + 1);
		push_values(L, reader, page, row);
		lua_call(L, (int)page->shape->count, 1);
		return;
	}
	uint32_t at = page->row_at[row - 1];
	struct mp_cursor cursor = mp_cursor_on(bytes_of(page) + at, page->bytes - at);
	int rc = mp_shape_push_row(L, &reader->codec, page->shape, names, &cursor, row);
	if (MP_UNLIKELY(rc != 0))
		luaL_error(L, "a row that was sound cannot be read: %s", reader->codec.why);
}

void mp_page_push_row(lua_State *L, int index, uint32_t row)
{
	const struct page *page = lua_touserdata(L, index);
	if (row < 1 || row > page->rows) {
		lua_pushnil(L);
		return;
	}
	int top = lua_gettop(L);
	struct reader *reader = push_reader(L);
	lua_getfenv(L, index);
	mp_shape_push_constructor(L, page->shape, top + 2);
	read_row(L, reader, page, top + 2, row);
	reader->busy = false;
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
}

// From that row on, as many as whole calls make, into the list on top by what is below it. The next one.
static uint32_t read_rows(lua_State *L, struct reader *reader, const struct page *page, uint32_t row,
                          uint32_t at_once)
{
	int list = lua_gettop(L);
	for (; at_once > 0 && page->rows + 1 - row >= at_once; row += at_once) {
		lua_pushvalue(L, list - 1);
		lua_pushvalue(L, list);
		lua_pushnumber(L, row);
		for (uint32_t i = 0; i < at_once; i++)
			push_values(L, reader, page, row + i);
		lua_call(L, (int)(2 + at_once * page->shape->count), 0);
	}
	return row;
}

void mp_page_push_rows(lua_State *L, int index, int first)
{
	const struct page *page = lua_touserdata(L, index);
	int top = lua_gettop(L), list = top + 5;
	struct reader *reader = push_reader(L);
	lua_getfenv(L, index);
	mp_shape_push_constructor(L, page->shape, top + 2);
	uint32_t at_once = mp_shape_push_rows_maker(L, page->shape, top + 2);
	lua_createtable(L, page->rows < PRESIZE ? (int)page->rows : PRESIZE, 0);
	uint32_t row = 1;
	if (!lua_isnil(L, first)) {
		lua_pushvalue(L, first);
		lua_rawseti(L, list, (int)row++);
	}
	row = read_rows(L, reader, page, row, at_once);
	for (; row <= page->rows; row++) {
		read_row(L, reader, page, top + 2, row);
		lua_rawseti(L, list, (int)row);
	}
	reader->busy = false;
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
}

static const struct page *test_page(lua_State *L, int index)
{
	const struct page *page = lua_touserdata(L, index);
	return page != NULL && lua_objlen(L, index) >= sizeof(*page) && page->mark == &mark ? page : NULL;
}

// pageValues(page, i): true and the values of that row, for who makes a table of them; nil behind the last.
int mp_core_page_values(lua_State *L)
{
	const struct page *page = test_page(L, 1);
	if (MP_UNLIKELY(page == NULL))
		return luaL_argerror(L, 1, "a page expected");
	double row = lua_tonumber(L, 2);
	if (MP_UNLIKELY(!(row >= 1 && row <= (double)page->rows)))
		return 0;
	luaL_checkstack(L, (int)page->shape->count + 8, "too many columns");
	struct reader *reader = MP_LIKELY(!page->reader->busy) ? page->reader : make_reader(L);
	reader->busy = true;
	lua_pushboolean(L, 1);
	push_values(L, reader, page, (uint32_t)row);
	reader->busy = false;
	return 1 + (int)page->shape->count;
}

void mp_page_add(lua_State *L)
{
	luaL_newmetatable(L, READER);
	lua_pushcfunction(L, reader_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	(void)make_reader(L);
	lua_setfield(L, LUA_REGISTRYINDEX, KEPT);
}
