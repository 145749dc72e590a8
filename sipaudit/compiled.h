/* Attributes and methods by inline caches.

   For each attribute Cython has its name looked up among what the type has, calls the descriptor that is found, and
   this reads what it describes: half a dozen calls for one load. The interpreter, from 3.11 on, remembers at each
   place in the code what it found there for the last type (PEP 659). Here is the same for what Cython makes;
   hatch_build.py puts it in the place of Cython's own calls.

   A place knows a type by its version tag, which is new whenever anything of the type or of its bases changes, and is
   never given twice. What is neither a slot nor a plain method - a property, what lies in an object's dictionary, what
   __getattr__ makes up - is asked for as before. */

#ifndef SIPAUDIT_COMPILED_H
#define SIPAUDIT_COMPILED_H

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include "Python.h"
#include "structmember.h"

/* Tried with these; a Python whose threads run side by side would need more care. */
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)

#define TRIES 64            /* a place at which so many types were met, or nothing was found so often, learns no more */
#define NEVER 0xffffffffu   /* no type's tag: they are counted up from 1, and 0 is none */
#define OUT_OF_LINE __attribute__((noinline))
#define likely_so(condition) __builtin_expect(!!(condition), 1)

/* Two types are remembered of each place, the one that came last first: requests and responses meet in many. Slots and
   methods have a table each, since the places of slots are many, and so lie close together in the processor's cache. */
typedef struct {
    unsigned int tag[2], offset[2], tries;
} Slot;

typedef struct {
    Slot slot;                  /* where what is called lies in one; else its offset is 0 */
    PyObject *function[2];      /* borrowed: the type has it as long as its tag is this one */
    vectorcallfunc call[2];     /* NULL where it lies in a slot */
} Method;

static inline unsigned int tag_of(PyObject *object)
{
    return Py_TYPE(object)->tp_version_tag;
}

static inline PyObject **slot_at(PyObject *object, unsigned int offset)
{
    return (PyObject **)((char *)object + offset);
}

/* The offset of the slot that a type's descriptor is of; 0 if it is of none. */
static unsigned int offset_of(PyTypeObject *type, PyObject *descriptor, int flags_that_do)
{
    if (!descriptor || Py_TYPE(descriptor) != &PyMemberDescr_Type) return 0;
    PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
    if (member->type != T_OBJECT_EX || member->flags & ~flags_that_do) return 0;
    return PyType_IsSubtype(type, ((PyMemberDescrObject *)descriptor)->d_common.d_type) ? member->offset : 0;
}

static void remember(Slot *slot, PyTypeObject *type, unsigned int offset)
{
    slot->tag[1] = slot->tag[0], slot->offset[1] = slot->offset[0];
    slot->tag[0] = type->tp_version_tag, slot->offset[0] = offset;
}

static void learn_slot(Slot *slot, PyTypeObject *type, PyObject *name, int flags_that_do)
{
    if (slot->tries++ >= TRIES) return;
    unsigned int offset = offset_of(type, _PyType_Lookup(type, name), flags_that_do);
    if (offset && type->tp_version_tag) remember(slot, type, offset);
}

static OUT_OF_LINE PyObject *find_attribute(Slot *slot, PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_version_tag == slot->tag[1]) {
        PyObject *value = *slot_at(object, slot->offset[1]);
        if (value) return Py_NewRef(value);
    } else if (type->tp_version_tag != slot->tag[0] && type->tp_getattro == PyObject_GenericGetAttr) {
        learn_slot(slot, type, name, READONLY);
    }
    return PyObject_GetAttr(object, name);
}

static inline PyObject *get_attribute(Slot *slot, PyObject *object, PyObject *name)
{
    if (likely_so(tag_of(object) == slot->tag[0])) {
        PyObject *value = *slot_at(object, slot->offset[0]);
        if (likely_so(value)) return Py_NewRef(value);
    }
    return find_attribute(slot, object, name);
}

static OUT_OF_LINE int set_attribute(Slot *slot, PyObject *object, PyObject *name, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(object);
    for (int way = 0; way < 2; way++)
        if (type->tp_version_tag == slot->tag[way]) {
            PyObject **place = slot_at(object, slot->offset[way]), *before = *place;
            *place = Py_NewRef(value);
            Py_XDECREF(before);
            return 0;
        }
    if (type->tp_setattro == PyObject_GenericSetAttr) learn_slot(slot, type, name, 0);
    return PyObject_SetAttr(object, name, value);
}

static void learn_method(Method *method, PyTypeObject *type, PyObject *name)
{
    if (method->slot.tries++ >= TRIES) return;
    PyObject *found = _PyType_Lookup(type, name);
    unsigned int offset = offset_of(type, found, READONLY);
    vectorcallfunc call = NULL;
    if (found && !type->tp_dictoffset && PyType_HasFeature(Py_TYPE(found), Py_TPFLAGS_METHOD_DESCRIPTOR))
        call = PyVectorcall_Function(found);
    if (!(offset || call) || !type->tp_version_tag) return;
    remember(&method->slot, type, offset);
    method->function[1] = method->function[0], method->call[1] = method->call[0];
    method->function[0] = found, method->call[0] = call;
}

/* A method may take itself out of its class: it is held while it is called. */
static inline PyObject *call_known(Method *method, int way, PyObject *const *args, size_t nargsf)
{
    PyObject *function = Py_NewRef(method->function[way]);
    PyObject *result = method->call[way](function, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(function);
    return result;
}

static OUT_OF_LINE PyObject *find_method(Method *method, PyObject *name, PyObject *const *args, size_t nargsf)
{
    PyTypeObject *type = Py_TYPE(args[0]);
    for (int way = 0; way < 2; way++)
        if (type->tp_version_tag == method->slot.tag[way]) {
            if (method->call[way]) return call_known(method, way, args, nargsf);
            PyObject *value = *slot_at(args[0], method->slot.offset[way]);
            if (!value) break;
            Py_INCREF(value);
            PyObject *result = PyObject_Vectorcall(value, args + 1, nargsf - 1, NULL);
            Py_DECREF(value);
            return result;
        }
    if (type->tp_getattro == PyObject_GenericGetAttr) learn_method(method, type, name);
    return PyObject_VectorcallMethod(name, args, nargsf, NULL);
}

static inline PyObject *call_method(Method *method, PyObject *name, PyObject *const *args, size_t nargsf)
{
    if (likely_so(tag_of(args[0]) == method->slot.tag[0] && method->call[0]))
        return call_known(method, 0, args, nargsf);
    return find_method(method, name, args, nargsf);
}

#define UNSEEN {.tag = {NEVER, NEVER}}
#define GET_ATTRIBUTE(object, name) ({ static Slot slot = UNSEEN; get_attribute(&slot, object, name); })
#define SET_ATTRIBUTE(object, name, value) ({ static Slot slot = UNSEEN; set_attribute(&slot, object, name, value); })
#define CALL_METHOD(name, args, nargsf) ({ static Method method = {UNSEEN}; call_method(&method, name, args, nargsf); })

#else
#define GET_ATTRIBUTE PyObject_GetAttr
#define SET_ATTRIBUTE PyObject_SetAttr
#define CALL_METHOD(name, args, nargsf) PyObject_VectorcallMethod(name, args, nargsf, NULL)
#endif

#endif
