package simulator

import "maps"

// Users is a small plausible desk: a group, people, and a device on both sides.
type Users struct{ Group, Ada, Bea, Device string }

// Populate makes it.
func (w *World) Populate() Users {
	u := Users{
		Group: w.ITSM.Group("Microsoft Managed Desktop"),
		Ada: w.ITSM.User("ada.byron", map[string]string{
			"name": "Ada Byron", "first_name": "Ada", "last_name": "Byron", "email": "ada@acme.example", "phone": "+44 20 1", "vip": "false",
		}),
		Bea: w.ITSM.User("bea.long", map[string]string{
			"name": "Bea Long", "first_name": "Bea", "last_name": "Long", "email": "bea@acme.example", "mobile_phone": "+44 7",
		}),
		Device: w.ITSM.Device("MMD-03690457680"),
	}
	w.MMD.AssignDevice("MMD-03690457680", "Ada Byron", "ada@acme.example")
	return u
}

// Incident adds an incident of the group's, called in by Ada.
func (w *World) Incident(u Users, title string, more map[string]string) string {
	fields := map[string]string{
		"short_description": title, "description": title + ", since this morning.", "caller_id": u.Ada, "assignment_group": u.Group,
		"category": "hardware", "impact": "2", "urgency": "2", "opened_by": u.Ada,
	}
	maps.Copy(fields, more)
	return w.ITSM.Insert("incident", fields)
}

// Task adds a task that asks for elevation on the device, under a request item
// that Ada asked for.
func (w *World) Task(u Users, parent string) (task, item string) {
	item = w.ITSM.Insert("sc_req_item", map[string]string{"short_description": "Local administrator", "requested_for": u.Ada, "opened_by": u.Ada})
	task = w.ITSM.Insert("sc_task", map[string]string{
		"short_description": "Local admin elevation", "description": "Install the printer driver.", "request_item": item, "parent": parent,
		"cmdb_ci": u.Device, "opened_by": u.Ada, "assignment_group": u.Group,
	})
	return task, item
}
