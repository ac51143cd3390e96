"""
The demo: an agent that reads handwritten digits earns its autonomy in thirteen weeks that pass in minutes.

Everything is real but the calendar: the images (1,797 digits from the forms of 43 writers, bundled with
scikit-learn), the models, their mistakes, the processes, the HTTP calls. The people are the set's human
labels with a stated, seeded rate of slips.
"""
