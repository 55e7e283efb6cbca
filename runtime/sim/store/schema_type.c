// SPDX-License-Identifier: Apache-2.0
// Users' types. A type's text is kept wherever it was written, and its tree made from it, so that a type that grows is
// made anew in all places that use it; what has an older tree in hand keeps that as long as it lives.
#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"
#include "sim/store/schema.h"

// ---- what a text means ------------------------------------------------------------------------------------

static struct mp_sim_udt *find_udt(const struct mp_sim_keyspace *ks, struct mp_str name)
{
	struct mp_sim_udt *udt = ks->types;
	while (udt != NULL && !mp_str_eq(udt->name, name))
		udt = udt->next;
	return udt;
}

// A tree lives as long as its table, which may outlive its keyspace.
static struct mp_type *copy_type(const struct mp_type *type, struct mp_arena *arena)
{
	struct mp_type *copy = mp_arena_alloc(arena, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	*copy = *type;
	size_t count = type->child_count;
	copy->children = mp_arena_alloc(arena, (count + 1) * sizeof(struct mp_type *));
	copy->fields = type->fields == NULL ? NULL : mp_arena_alloc(arena, (count + 1) * sizeof(struct mp_str));
	copy->name = mp_arena_str(arena, type->name);
	copy->keyspace = mp_arena_str(arena, type->keyspace);
	if (copy->children == NULL || (type->fields != NULL && copy->fields == NULL) || copy->name.data == NULL ||
	    copy->keyspace.data == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		copy->children[i] = copy_type(type->children[i], arena);
		if (type->fields != NULL)
			copy->fields[i] = mp_arena_str(arena, type->fields[i]);
		if (copy->children[i] == NULL || (type->fields != NULL && copy->fields[i].data == NULL))
			return NULL;
	}
	return copy;
}

// NAME, or KEYSPACE.NAME of this keyspace.
static struct mp_type *find_type(void *user, struct mp_str name, struct mp_arena *arena)
{
	const struct mp_sim_keyspace *ks = user;
	size_t prefix = ks->name.len + 1;
	if (name.len > prefix && name.data[prefix - 1] == '.' &&
	    mp_str_eq((struct mp_str){name.data, prefix - 1}, ks->name))
		name = (struct mp_str){name.data + prefix, name.len - prefix};
	const struct mp_sim_udt *udt = find_udt(ks, name);
	return udt == NULL ? NULL : copy_type(udt->type, arena);
}

static bool is_collection(const struct mp_type *type)
{
	return type->id == MP_TYPE_LIST || type->id == MP_TYPE_SET || type->id == MP_TYPE_MAP;
}

// Without it a value is as good as frozen. A tuple always says that it is, a vector never.
static int show_type(const struct mp_type *type, bool frozen, struct mp_arena *arena, struct mp_str *out,
                     struct mp_sim_error *err)
{
	struct mp_buf text;
	mp_buf_init(&text);
	bool says = type->id == MP_TYPE_TUPLE || (frozen && (is_collection(type) || type->id == MP_TYPE_UDT));
	mp_buf_text(&text, says ? "frozen<" : "");
	mp_type_format(&text, type);
	mp_buf_text(&text, says ? ">" : "");
	if (!text.failed)
		*out = mp_arena_str(arena, (struct mp_str){(const char *)text.data, text.len});
	int rc = text.failed || out->data == NULL ? mp_sim_fail_nomem(err) : 0;
	mp_buf_deinit(&text);
	return rc;
}

int mp_sim_type_resolve(const struct mp_sim_keyspace *ks, struct mp_str text, struct mp_arena *arena,
                        struct mp_sim_typed *out, struct mp_sim_error *err)
{
	struct mp_type_names names = {find_type, (void *)(uintptr_t)ks};
	bool frozen = text.len > 7 && memcmp(text.data, "frozen<", 7) == 0;
	out->type = mp_type_parse_with(text, arena, &names);
	if (out->type == NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Unknown type %.*s in keyspace %.*s", MP_SIM_S(text),
		                   MP_SIM_S(ks->name));
	out->multi = !frozen && (is_collection(out->type) || out->type->id == MP_TYPE_UDT);
	return show_type(out->type, frozen, arena, &out->text, err);
}

// ---- changing one -----------------------------------------------------------------------------------------

static bool uses(const struct mp_type *type, struct mp_str name)
{
	if (type->id == MP_TYPE_UDT && mp_str_eq(type->name, name))
		return true;
	for (uint16_t i = 0; i < type->child_count; i++) {
		if (uses(type->children[i], name))
			return true;
	}
	return false;
}

// The tree of a user's type from the texts of its fields.
static int make_tree(struct mp_sim_keyspace *ks, struct mp_sim_udt *udt, struct mp_sim_error *err)
{
	size_t count = udt->field_count;
	struct mp_type *type = mp_arena_alloc(&ks->arena, sizeof(*type));
	struct mp_type **children = mp_arena_alloc(&ks->arena, (count + 1) * sizeof(struct mp_type *));
	struct mp_str *fields = mp_arena_alloc(&ks->arena, (count + 1) * sizeof(*fields));
	if (type == NULL || children == NULL || fields == NULL)
		return mp_sim_fail_nomem(err);
	*type = (struct mp_type){.id = MP_TYPE_UDT,
	                         .child_count = udt->field_count,
	                         .children = children,
	                         .name = udt->name,
	                         .keyspace = ks->name,
	                         .fields = fields};
	for (size_t i = 0; i < count; i++) {
		struct mp_sim_typed typed;
		MP_SIM_TRY(mp_sim_type_resolve(ks, udt->fields[i].type_text, &ks->arena, &typed, err));
		if (uses(typed.type, udt->name))
			return mp_sim_fail(
				err, MP_SE_INVALID,
				"Cannot add new field %.*s of type %.*s to user type %.*s as it would create a "
				"circular reference",
				MP_SIM_S(udt->fields[i].name), MP_SIM_S(typed.text), MP_SIM_S(udt->name));
		if (typed.type->id == MP_TYPE_UDT && typed.multi)
			return mp_sim_fail(err, MP_SE_INVALID, "A user type cannot contain non-frozen UDTs");
		if (typed.type->id == MP_TYPE_COUNTER)
			return mp_sim_fail(err, MP_SE_INVALID, "A user type cannot contain counters");
		children[i] = typed.type;
		fields[i] = udt->fields[i].name;
	}
	udt->type = type;
	return 0;
}

static int add_field(struct mp_sim_keyspace *ks, struct mp_sim_udt *udt, const struct mp_sim_column_def *def,
                     struct mp_sim_error *err)
{
	for (uint16_t i = 0; i < udt->field_count; i++) {
		if (mp_str_eq(udt->fields[i].name, def->name))
			return mp_sim_fail(
				err, MP_SE_INVALID,
				"Cannot add field %.*s to type %.*s.%.*s: a field with name %.*s already exists",
				MP_SIM_S(def->name), MP_SIM_S(ks->name), MP_SIM_S(udt->name), MP_SIM_S(def->name));
	}
	struct mp_sim_typed typed;
	MP_SIM_TRY(mp_sim_type_resolve(ks, def->type, &ks->arena, &typed, err));
	struct mp_sim_udt_field *fields =
		mp_arena_alloc(&ks->arena, (size_t)(udt->field_count + 1) * sizeof(*fields));
	if (fields == NULL)
		return mp_sim_fail_nomem(err);
	if (udt->field_count > 0)
		memcpy(fields, udt->fields, udt->field_count * sizeof(*fields));
	fields[udt->field_count] = (struct mp_sim_udt_field){mp_arena_str(&ks->arena, def->name), typed.text};
	if (fields[udt->field_count].name.data == NULL)
		return mp_sim_fail_nomem(err);
	udt->fields = fields;
	udt->field_count++;
	return 0;
}

static int create(struct mp_sim_keyspace *ks, const struct mp_sim_stmt *stmt, struct mp_sim_error *err)
{
	struct mp_sim_udt udt = {.name = mp_arena_str(&ks->arena, stmt->table)};
	MP_SIM_TRY(mp_sim_check_name(stmt->table, "Type", err));
	for (const struct mp_sim_column_def *def = stmt->columns; def != NULL; def = def->next)
		MP_SIM_TRY(add_field(ks, &udt, def, err));
	MP_SIM_TRY(make_tree(ks, &udt, err));
	struct mp_sim_udt *kept = mp_arena_alloc(&ks->arena, sizeof(*kept)), **link = &ks->types;
	if (kept == NULL || udt.name.data == NULL)
		return mp_sim_fail_nomem(err);
	while (*link != NULL && strcmp((*link)->name.data, udt.name.data) < 0)
		link = &(*link)->next;
	*kept = udt;
	kept->next = *link;
	*link = kept;
	return 0;
}

// Every tree of the keyspace again. A type may use one that comes later by name, so as often as there are types.
static int remake_trees(struct mp_sim_keyspace *ks, struct mp_sim_error *err)
{
	for (const struct mp_sim_udt *round = ks->types; round != NULL; round = round->next) {
		for (struct mp_sim_udt *udt = ks->types; udt != NULL; udt = udt->next)
			MP_SIM_TRY(make_tree(ks, udt, err));
	}
	for (struct mp_sim_table *table = ks->tables; table != NULL; table = table->next) {
		for (uint16_t i = 0; i < table->column_count; i++) {
			struct mp_sim_typed typed;
			MP_SIM_TRY(mp_sim_type_resolve(ks, table->columns[i]->type_text, &table->arena, &typed, err));
			table->columns[i]->type = typed.type;
		}
	}
	return 0;
}

static int rename_fields(struct mp_sim_keyspace *ks, struct mp_sim_udt *udt, const struct mp_sim_word *pair,
                         struct mp_sim_error *err)
{
	for (; pair != NULL; pair = pair->next->next) {
		struct mp_sim_udt_field *found = NULL;
		for (uint16_t i = 0; i < udt->field_count; i++)
			found = mp_str_eq(udt->fields[i].name, pair->name) ? &udt->fields[i] : found;
		if (found == NULL)
			return mp_sim_fail(err, MP_SE_INVALID, "Unkown field %.*s in user type %.*s.%.*s",
			                   MP_SIM_S(pair->name), MP_SIM_S(ks->name), MP_SIM_S(udt->name));
		struct mp_str name = mp_arena_str(&ks->arena, pair->next->name);
		if (name.data == NULL)
			return mp_sim_fail_nomem(err);
		found->name = name;
	}
	return 0;
}

static int alter(struct mp_sim_keyspace *ks, struct mp_sim_udt *udt, const struct mp_sim_stmt *stmt,
                 struct mp_sim_error *err)
{
	struct mp_sim_udt changed = *udt;
	MP_SIM_TRY(stmt->columns != NULL ? add_field(ks, &changed, stmt->columns, err)
	                                 : rename_fields(ks, &changed, stmt->renames, err));
	MP_SIM_TRY(make_tree(ks, &changed, err)); // before anything else sees it
	*udt = changed;
	return remake_trees(ks, err);
}

static int drop(struct mp_sim_keyspace *ks, const struct mp_sim_udt *udt, struct mp_sim_error *err)
{
	for (const struct mp_sim_udt *other = ks->types; other != NULL; other = other->next) {
		if (other != udt && uses(other->type, udt->name))
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Cannot drop user type '%.*s.%.*s' as it is still used by user types %.*s",
			                   MP_SIM_S(ks->name), MP_SIM_S(udt->name), MP_SIM_S(other->name));
	}
	for (const struct mp_sim_table *table = ks->tables; table != NULL; table = table->next) {
		for (uint16_t i = 0; i < table->column_count; i++) {
			if (uses(table->columns[i]->type, udt->name))
				return mp_sim_fail(err, MP_SE_INVALID,
				                   "Cannot drop user type '%.*s.%.*s' as it is still used by tables %.*s",
				                   MP_SIM_S(ks->name), MP_SIM_S(udt->name), MP_SIM_S(table->name));
		}
	}
	struct mp_sim_udt **link = &ks->types;
	while (*link != udt)
		link = &(*link)->next;
	*link = udt->next;
	return 0;
}

int mp_sim_schema_change_type(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                              struct mp_sim_keyspace *ks, struct mp_sim_change *change,
                              struct mp_sim_error *err)
{
	struct mp_sim_udt *udt = find_udt(ks, stmt->table);
	bool creates = stmt->kind == MP_SIM_CREATE_TYPE, drops = stmt->kind == MP_SIM_DROP_TYPE;
	if (creates ? udt != NULL && stmt->if_not_exists : udt == NULL && stmt->if_exists)
		return 0;
	if (creates && udt != NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "A user type with name '%.*s' already exists",
		                   MP_SIM_S(stmt->table));
	if (!creates && udt == NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Type '%.*s.%.*s' doesn't exist", MP_SIM_S(ks->name),
		                   MP_SIM_S(stmt->table));
	MP_SIM_TRY(creates ? create(ks, stmt, err) : drops ? drop(ks, udt, err) : alter(ks, udt, stmt, err));
	schema->version++;
	*change = (struct mp_sim_change){.change = creates ? "CREATED"
	                                           : drops ? "DROPPED"
	                                                   : "UPDATED",
	                                 .target = "TYPE",
	                                 .keyspace = ks->name,
	                                 .name = stmt->table};
	return 0;
}
