// LuaJIT does not read "inline bool": there bool is the name of a type.
typedef _Bool mp_bool;
#define bool mp_bool
